//! The command line (native): facts, goldens, forward passes, training, testing. Knows the engine, nothing of the page.
//! One JSON document on stdout with `--json`, messages on stderr, exit code 0 only on success.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    match cli::main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("receptive: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod cli {
    use clap::{Parser, Subcommand, ValueEnum};
    use receptive::arch::{Architecture, VARIANTS, variant};
    use receptive::data::{Dataset, cifar};
    use receptive::engine::executor::Executor;
    use receptive::engine::facts::facts;
    use receptive::engine::files;
    use receptive::engine::golden;
    use receptive::engine::platform::{FetchError, Local, Pieces};
    use receptive::engine::training::{Trainer, evaluate};
    use receptive::gpu::Gpu;
    use receptive::plan::{Plan, Request};
    use receptive::protocol::{Backend, TrainConfig};
    use receptive::weights::{self, Precision, Tensor, Weights};
    use serde_json::{Value, json};
    use std::error::Error;
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    /// Training images that are never trained on: for choosing without looking at the test set.
    const HELD_OUT: usize = 5000;

    #[derive(Parser)]
    #[command(name = "receptive", about = "Five classic convolutional networks: facts, forward passes, training")]
    struct Cli {
        #[command(subcommand)]
        command: Command,
        /// Print one JSON document on stdout.
        #[arg(long, global = true)]
        json: bool,
        /// Which engine computes.
        #[arg(long, global = true, default_value = "cpu")]
        backend: Engine,
    }

    #[derive(Clone, Copy, ValueEnum)]
    enum Engine {
        Cpu,
        Gpu,
    }

    #[derive(Subcommand)]
    enum Command {
        /// Layers, shapes, parameters, multiply-adds, receptive fields; without VARIANT the list of variants.
        Facts { variant: Option<String> },
        /// Compute what golden files ask for.
        Golden {
            #[arg(required = true)]
            files: Vec<PathBuf>,
        },
        /// One forward pass; outputs as .npy.
        Run {
            variant: String,
            /// batch×c×h×w or c×h×w, f32.
            #[arg(long)]
            input: PathBuf,
            /// safetensors, or the index of several; without it the seeded start.
            #[arg(long)]
            weights: Option<PathBuf>,
            /// A node whose value is written too; can be given several times.
            #[arg(long)]
            layer: Vec<String>,
            /// Folder for NODE.npy.
            #[arg(long)]
            out: PathBuf,
        },
        /// Train on MNIST or CIFAR-10; what is not given is the variant's recipe.
        Train {
            variant: String,
            /// Folder with MNIST's four IDX files or CIFAR-10's binary files, plain or .gz.
            #[arg(long)]
            data: PathBuf,
            #[arg(long)]
            epochs: Option<usize>,
            #[arg(long)]
            seed: Option<u64>,
            #[arg(long)]
            lr: Option<f32>,
            #[arg(long)]
            decay: Option<f32>,
            #[arg(long)]
            batch: Option<usize>,
            #[arg(long)]
            momentum: Option<f32>,
            #[arg(long)]
            weight_decay: Option<f32>,
            /// Store 16-bit floats.
            #[arg(long)]
            f16: bool,
            /// Where the weights go (safetensors).
            #[arg(long)]
            out: PathBuf,
        },
        /// Error on the test images.
        Eval {
            variant: String,
            #[arg(long)]
            data: PathBuf,
            #[arg(long)]
            weights: PathBuf,
        },
    }

    pub fn main() -> Result<()> {
        let cli = Cli::parse();
        let document = match &cli.command {
            Command::Facts { variant: None } => json!(
                VARIANTS
                    .iter()
                    .map(|v| json!({"variant": v.name, "title": v.title, "year": v.year}))
                    .collect::<Vec<_>>()
            ),
            Command::Facts { variant: Some(name) } => serde_json::to_value(facts(&network(name)?))?,
            Command::Golden { files } => goldens(files, cli.backend)?,
            Command::Run { variant, input, weights, layer, out } => {
                run(&network(variant)?, input, weights.as_deref(), layer, out, cli.backend)?
            }
            Command::Train { .. } => train(&cli.command, cli.backend)?,
            Command::Eval { variant, data, weights } => {
                let net = network(variant)?;
                let mut executor = executor(load(&net, Some(weights), 0)?, cli.backend)?;
                let test = dataset(&net, data, Part::Test)?;
                let (errors, _) = pollster::block_on(evaluate(&net, &mut executor, &test))?;
                tested(errors, test.len())
            }
        };
        let mut out = std::io::stdout().lock();
        if cli.json {
            serde_json::to_writer(&mut out, &document)?;
            writeln!(out)?;
        } else {
            human(&mut out, &cli.command, &document)?;
        }
        Ok(())
    }

    fn human(out: &mut impl Write, command: &Command, document: &Value) -> Result<()> {
        match command {
            Command::Facts { variant: Some(_) } => {
                writeln!(
                    out,
                    "{}: {} parameters, {} multiply-adds",
                    document["variant"], document["parameters"], document["macs"]
                )?;
                for l in document["layers"].as_array().into_iter().flatten() {
                    let (name, op) = (l["name"].as_str().unwrap_or(""), l["op"].as_str().unwrap_or(""));
                    let field = &l["receptive_field"];
                    writeln!(
                        out,
                        "{name:24} {op:14} {:18} params {:>10} macs {:>12} field {:>5} jump {:>3} start {:>5}",
                        l["shape"].to_string(),
                        l["parameters"],
                        l["macs"],
                        field["size"],
                        field["jump"],
                        field["start"]
                    )?;
                }
            }
            _ => writeln!(out, "{}", serde_json::to_string_pretty(document)?)?,
        }
        Ok(())
    }

    fn network(name: &str) -> Result<Architecture> {
        let known = || VARIANTS.iter().map(|v| v.name).collect::<Vec<_>>().join(", ");
        let variant = variant(name).ok_or_else(|| format!("there is no variant {name}; there are {}", known()))?;
        Ok(variant.build()?)
    }

    fn executor(params: Vec<Vec<f32>>, engine: Engine) -> Result<Executor> {
        Ok(match engine {
            Engine::Cpu => Executor::cpu(params),
            Engine::Gpu => Executor::gpu(pollster::block_on(Gpu::acquire())?, &params)?,
        })
    }

    fn bytes(path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// The network's parameters from a file, or its seeded start.
    fn load(net: &Architecture, file: Option<&Path>, seed: u64) -> Result<Vec<Vec<f32>>> {
        let Some(path) = file else { return Ok(net.initial(seed)) };
        let open = |path: &str| -> Local<_> { Box::pin(std::future::ready(Disk::open(Path::new(path)))) };
        let sources = vec![Disk::open(path)?];
        let read = pollster::block_on(files::load(net, sources, &open, &|_, _| {}));
        Ok(read.map_err(|e| format!("{}: {e}", path.display()))?.0)
    }

    /// A file read piece by piece.
    #[derive(Debug)]
    struct Disk {
        name: String,
        file: std::fs::File,
        total: u64,
    }

    impl Disk {
        fn open(path: &Path) -> std::result::Result<Box<dyn Pieces>, FetchError> {
            let name = path.display().to_string();
            let opened = std::fs::File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (total, file) = opened.map_err(|e| FetchError { url: name.clone(), reason: e.to_string() })?;
            Ok(Box::new(Self { name, file, total }))
        }
    }

    impl Pieces for Disk {
        fn name(&self) -> &str {
            &self.name
        }
        fn total(&self) -> Option<u64> {
            Some(self.total)
        }
        fn next(&mut self) -> Local<std::result::Result<Option<Vec<u8>>, FetchError>> {
            let mut piece = Vec::new();
            let read = Read::by_ref(&mut self.file).take(files::PIECE as u64).read_to_end(&mut piece);
            let read = read.map(|n| (n > 0).then_some(piece));
            let read = read.map_err(|e| FetchError { url: self.name.clone(), reason: e.to_string() });
            Box::pin(std::future::ready(read))
        }
    }

    /// Which pictures.
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Train,
        Test,
    }

    /// The pictures of a folder, MNIST's or CIFAR-10's, where the network can read them.
    fn dataset(net: &Architecture, dir: &Path, part: Part) -> Result<Dataset> {
        let found = |name: String| {
            let places = [dir.join(&name), dir.join(format!("{name}.gz")), dir.join(cifar::FOLDER).join(&name)];
            let packed = dir.join(cifar::FOLDER).join(format!("{name}.gz"));
            places.into_iter().chain([packed]).find(|path| path.exists())
        };
        let mnist = if part == Part::Train { "train" } else { "t10k" };
        let files: &[&str] = if part == Part::Train { &cifar::TRAIN } else { &cifar::TEST };
        let files: Vec<PathBuf> = files.iter().filter_map(|name| found(name.to_string())).collect();
        let images = found(format!("{mnist}-images-idx3-ubyte"));
        let data = if let Some(images) = images {
            let labels = dir.join(format!("{mnist}-labels-idx1-ubyte"));
            let labels = found(format!("{mnist}-labels-idx1-ubyte")).unwrap_or(labels);
            Dataset::from_files(&bytes(&images)?, &bytes(&labels)?)?
        } else if !files.is_empty() {
            if part == Part::Train && files.len() < cifar::TRAIN.len() {
                eprintln!(
                    "receptive: only {} of CIFAR-10’s {} training files are there",
                    files.len(),
                    cifar::TRAIN.len()
                );
            }
            let mut all = Dataset::default();
            for path in &files {
                all = all.and(cifar::read(&bytes(path)?).map_err(|e| format!("{} {e}", path.display()))?);
            }
            all
        } else if dir.join("data_batch_1").exists() || dir.join("cifar-10-batches-py").exists() {
            return Err(
                "these are CIFAR-10’s Python files; its binary version (cifar-10-binary.tar.gz) is wanted".into()
            );
        } else {
            let here = dir.display();
            return Err(format!("{here} holds neither MNIST’s IDX files nor CIFAR-10’s {} …", cifar::TEST[0]).into());
        };
        let input = net.graph.nodes()[net.graph.source()].shape;
        let [channels, height, width] = data.shape();
        if channels > 1 && [input.c, input.h, input.w] != data.shape() || height > input.h || width > input.w {
            let name = net.variant.name;
            return Err(format!("{name} reads {input}, but the pictures are {channels}×{height}×{width}").into());
        }
        Ok(data)
    }

    fn tested(errors: usize, total: usize) -> Value {
        let percent = 100.0 * errors as f64 / total.max(1) as f64;
        json!({"errors": errors, "total": total, "error_percent": (percent * 1e4).round() / 1e4})
    }

    fn goldens(files: &[PathBuf], engine: Engine) -> Result<Value> {
        let backend = match engine {
            Engine::Cpu => Backend::Cpu,
            Engine::Gpu => Backend::Gpu,
        };
        let mut out = Vec::new();
        for path in files {
            let file = String::from_utf8(bytes(path)?).map_err(|_| format!("{}: not text", path.display()))?;
            let computed = pollster::block_on(golden::compute(&file, backend));
            out.push(computed.map_err(|e| format!("{}: {e}", path.display()))?);
        }
        Ok(Value::Array(out))
    }

    fn run(
        net: &Architecture,
        input: &Path,
        weights: Option<&Path>,
        layers: &[String],
        out: &Path,
        engine: Engine,
    ) -> Result<Value> {
        let file = npyz::NpyFile::new(std::io::Cursor::new(bytes(input)?))?;
        let dims: Vec<usize> = file.shape().iter().map(|&d| d as usize).collect();
        let data: Vec<f32> = file.into_vec()?;
        let shape = net.graph.nodes()[net.graph.source()].shape;
        let batch = match *dims {
            [c, h, w] if [c, h, w] == [shape.c, shape.h, shape.w] => 1,
            [n, c, h, w] if [c, h, w] == [shape.c, shape.h, shape.w] && n > 0 => n,
            _ => return Err(format!("{} takes {shape}, {} holds {dims:?}", net.variant.name, input.display()).into()),
        };
        let mut nodes = vec![net.output];
        for name in layers {
            nodes.push(net.graph.find(name).ok_or_else(|| format!("{} has no layer {name}", net.variant.name))?);
        }
        let mut executor = executor(load(net, weights, 1)?, engine)?;
        let program = executor.prepare(net, Plan::new(net, &Request::inference(batch, &nodes)))?;
        executor.write(&program, program.plan.inputs[0], &data)?;
        executor.run(&program)?;
        std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
        let mut written = Vec::new();
        for id in nodes {
            use npyz::WriterBuilder;
            let node = &net.graph.nodes()[id];
            let buf = program.plan.values[id].ok_or_else(|| format!("{} was not computed", node.name))?;
            let value = pollster::block_on(executor.read(&program, &[buf]))?.swap_remove(0);
            let path = out.join(format!("{}.npy", node.name));
            let shape = [batch, node.shape.c, node.shape.h, node.shape.w].map(|d| d as u64);
            let file = std::io::BufWriter::new(std::fs::File::create(&path)?);
            let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
            writer.extend(value)?;
            writer.finish()?;
            written.push(json!({"layer": node.name, "shape": shape, "file": path}));
        }
        Ok(json!({"variant": net.variant.name, "outputs": written}))
    }

    fn train(command: &Command, engine: Engine) -> Result<Value> {
        let Command::Train { variant, data, epochs, seed, lr, decay, batch, momentum, weight_decay, f16, out } =
            command
        else {
            return Err("not a training".into());
        };
        let net = network(variant)?;
        let mut recipe = net.recipe;
        recipe.epochs = epochs.unwrap_or(recipe.epochs);
        recipe.seed = seed.unwrap_or(recipe.seed);
        recipe.lr = lr.unwrap_or(recipe.lr);
        recipe.schedule = decay.map_or(recipe.schedule, |factor| recipe.schedule.with_factor(factor));
        recipe.batch = batch.unwrap_or(recipe.batch).max(1);
        recipe.momentum = momentum.unwrap_or(recipe.momentum);
        recipe.weight_decay = weight_decay.unwrap_or(recipe.weight_decay);

        let train = dataset(&net, data, Part::Train)?;
        // A small set of one's own keeps a tenth aside, as 5,000 of CIFAR-10's 50,000.
        let examples = train.len() - HELD_OUT.min(train.len() / 10);
        let held_out = train.part(examples..train.len());
        let mut executor = executor(net.initial(recipe.seed), engine)?;
        let mut trainer = Trainer::new(&net, &mut executor, examples, TrainConfig::from(recipe))?;
        let start = Instant::now();
        let mut losses = Vec::new();
        for epoch in 0..recipe.epochs {
            let (mut total, mut count) = (0.0, 0);
            while (trainer.epoch(examples) as f64) < (epoch + 1) as f64 {
                for _ in 0..50 {
                    trainer.step(&mut executor, &train)?;
                }
                let (records, _, halt) = pollster::block_on(trainer.collect(&mut executor))?;
                if let Some(halt) = halt {
                    let step = trainer.steps();
                    return Err(format!("training stopped at step {step}: {halt:?}; try a smaller --lr").into());
                }
                total += records.iter().map(|r| f64::from(r.loss)).sum::<f64>();
                count += records.len();
            }
            let loss = total / f64::from(u32::try_from(count.max(1))?);
            losses.push(loss);
            let (wrong, _) = pollster::block_on(evaluate(&net, &mut executor, &held_out))?;
            let percent = 100.0 * wrong as f64 / held_out.len().max(1) as f64;
            let speed = trainer.steps() as f64 * recipe.batch as f64 / start.elapsed().as_secs_f64();
            eprintln!(
                "epoch {:>3}  lr {:.5}  loss {loss:.4}  held out {percent:.2} %  {speed:.0} images/s",
                epoch + 1,
                trainer.lr()
            );
        }
        let test = dataset(&net, data, Part::Test)?;
        let (errors, _) = pollster::block_on(evaluate(&net, &mut executor, &test))?;
        let result = tested(errors, test.len());
        let params = pollster::block_on(executor.params())?;
        let metadata = [
            ("format".to_string(), "pt".to_string()),
            ("variant".to_string(), variant.clone()),
            ("recipe".to_string(), serde_json::to_string(&recipe)?),
            ("test_error_percent".to_string(), result["error_percent"].to_string()),
        ];
        let tensors = net.graph.params().iter().zip(params).map(|(p, data)| Tensor {
            name: p.name.clone(),
            shape: p.param.shape.clone(),
            data,
        });
        let file = Weights { metadata: metadata.into_iter().collect(), tensors: tensors.collect() };
        let precision = if *f16 { Precision::F16 } else { Precision::F32 };
        std::fs::write(out, weights::write(&file, precision)?).map_err(|e| format!("{}: {e}", out.display()))?;
        Ok(json!({"variant": variant, "recipe": recipe, "losses": losses, "test": result, "weights": out}))
    }
}
