/**
 * `window.receptive`: the page for scripts — for lessons, embedding, tests and benchmarks.
 *
 * Every call returns a promise; what cannot be done rejects with an `Error` whose message is a sentence. Arrays that are passed in
 * are copied and stay the caller's. What a script does is seen on the page: `open` shows the network, `infer` its maps.
 *
 * ```js
 * await receptive.ready;
 * await receptive.open('lenet5-modern', { seed: 1 });
 * const { output } = await receptive.infer(new Float32Array(32 * 32));
 * ```
 */
export interface Receptive {
  /** Resolves when the first network is open and can be asked. */
  readonly ready: Promise<void>;
  /** Which engine runs, on what, and why. */
  backend(): Promise<Engine>;
  /** Switches the engine; weights and training go along. Rejects where there is no such engine. */
  useBackend(backend: 'gpu' | 'cpu'): Promise<Engine>;
  /** Every network, in the page's order. */
  variants(): Promise<Variant[]>;
  /** What a network is made of: the document that the command line prints with `receptive facts VARIANT --json`. */
  facts(variant: string): Promise<Facts>;
  /**
   * Opens a network.
   * @param weights a safetensors file (a `File` is read piece by piece; several hold a part each, with or without their index), its
   * address, or a seed for random weights; without it the weights that come with the page. Names may be torchvision's or timm's.
   */
  open(variant: string, weights?: ArrayBuffer | Blob | Blob[] | { url: string } | { seed: number }): Promise<void>;
  /**
   * Shows an input to the open network.
   * @param input channels × height × width numbers, row-major, already normalised as the network was trained.
   */
  infer(input: Float32Array): Promise<Inference>;
  /**
   * The value of a layer for the input that was shown last.
   * @param layer its name, as `facts` gives it; activations are layers of their own.
   */
  activation(layer: string): Promise<Activation>;
  /** Trains on the caller's data, from the weights in use; the network is opened first if it is not the open one. */
  train(options: TrainOptions): Promise<TrainResult>;
  /** Runs every kernel on the GPU and compares it with the CPU, on this very device. */
  selfTest(): Promise<SelfTest>;
  /** Destroys the GPU device, as a driver crash would: the page must go on with the CPU. For tests. */
  loseDevice(): Promise<void>;
}

export interface Engine {
  backend: 'gpu' | 'cpu';
  /** The adapter's own name; empty without one. */
  adapter: string;
  why: 'hardware' | 'asked' | 'no-webgpu' | 'insecure' | 'no-adapter' | 'software' | 'self-test-failed' | 'device-lost';
  /** Whether `useBackend('gpu')` can succeed. */
  gpuAvailable: boolean;
}

export interface Variant {
  /** The name that all calls take. */
  variant: string;
  /** The family's title. */
  title: string;
  /** Year of the paper. */
  year: number;
}

export interface Facts extends Variant {
  /** Channels, height, width. */
  input: [number, number, number];
  /** Trained parameters of the inference network. */
  parameters: number;
  /** Parameters that only training's auxiliary heads have; absent where there are none. */
  auxiliary_parameters?: number;
  /** Multiply-adds of convolution and linear layers for one image. */
  macs: number;
  layers: Layer[];
}

export interface Layer {
  name: string;
  /** PyTorch's word for it. */
  op: string;
  /** The paper's unit it belongs to. */
  group: string;
  /** Names of the layers it reads. */
  inputs: string[];
  /** Channels, height, width. */
  shape: [number, number, number];
  parameters: number;
  macs: number;
  /** In input pixels; `start` is the first pixel that output 0 sees, negative in padding. */
  receptive_field: { size: number; jump: number; start: number };
}

export interface Inference {
  /** Logits or distances, as the network has it. */
  output: Float32Array;
  /** The forward pass, read-back included. */
  milliseconds: number;
}

export interface Activation {
  shape: number[];
  data: Float32Array;
}

export interface TrainOptions {
  /** The open network where it is left out. */
  variant?: string;
  /** Normalised images one after another; if there are fewer than `batch * steps` they repeat. */
  images: Float32Array;
  /** One class number an image. */
  labels: ArrayLike<number>;
  /** Images a step; 64 where it is left out. */
  batch?: number;
  /** Steps; 1 where it is left out. */
  steps?: number;
  /** Learning rate; 0.01 where it is left out. */
  lr?: number;
  /** 0.9 where it is left out. */
  momentum?: number;
  /** 0 where it is left out. */
  weightDecay?: number;
}

export interface TrainResult {
  /** The loss of every step. */
  losses: Float32Array;
  /** Time of all steps. */
  milliseconds: number;
}

export interface SelfTest {
  /** Each case with its largest relative error. */
  cases: { name: string; error: number }[];
  /** Names of the cases beyond the tolerance. */
  failed: string[];
}

declare global {
  interface Window {
    receptive: Receptive;
  }
}
