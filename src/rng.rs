//! Seeded random numbers, all of them: counter-based splitmix64, so that any element of any stream can be made
//! on its own and a run can be resumed bit for bit. Knows nothing of tensors, graphs, clocks or operating-system entropy.
//!
//! Source: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
//! (the finaliser is D. Stafford's variant 13).

use std::fmt;
use std::str::FromStr;

/// 2^64 divided by the golden ratio, made odd: splitmix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// splitmix64's finaliser: a bijection of the 64-bit words in which every input bit reaches every output bit.
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Element `index` of the stream `key`: 64 random bits, without walking through the elements before it.
pub const fn bits_at(key: u64, index: u64) -> u64 {
    mix(key.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP)))
}

/// 64-bit FNV-1a over bytes that may come in several pieces.
fn fnv1a64(pieces: &[&str]) -> u64 {
    let bytes = pieces.iter().flat_map(|piece| piece.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// The top 24 bits of `bits` as a number in [0, 1): every value is exact in f32.
fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1u32 << 24) as f32
}

/// The generated tensor `name` of `seed`: `len` values uniform in [lo, hi), row-major, computed in f64 and rounded to f32.
/// This is the generator of the golden files, so it must not change: `tests/golden/README.md` defines it.
pub fn fill(seed: &str, name: &str, len: usize, lo: f64, hi: f64) -> Vec<f32> {
    let key = fnv1a64(&[seed, "/", name]);
    (0..len as u64).map(|i| (lo + (hi - lo) * f64::from(unit(bits_at(key, i)))) as f32).collect()
}

/// A stream of random numbers: a key and how many words were drawn. Copying it copies the future.
///
/// With serde it is a string, `key:drawn` in hexadecimal, because JavaScript's numbers do not hold 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    drawn: u64,
}

impl Rng {
    /// The stream of `seed`. Neighbouring seeds give unrelated streams.
    pub const fn new(seed: u64) -> Self {
        Self { key: bits_at(seed, 0), drawn: 0 }
    }

    /// The stream `name` of `seed`: what each user of randomness (shuffling, distortions, one parameter's initial values, …)
    /// takes for itself, so that none of them shifts another's numbers.
    pub fn stream(seed: u64, name: &str) -> Self {
        // The name is mixed before the seed joins it: no seed undoes a name.
        Self { key: mix(bits_at(seed, 0) ^ mix(fnv1a64(&[name]))), drawn: 0 }
    }

    /// The stream `index` of those that this one stands for (one per epoch, one per picture, …), whatever it has drawn already.
    pub const fn substream(self, index: u64) -> Self {
        Self { key: mix(self.key ^ bits_at(STEP, index)), drawn: 0 }
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        let bits = bits_at(self.key, self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        bits
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴. One draw.
    pub fn uniform(&mut self) -> f32 {
        unit(self.next_u64())
    }

    /// Uniform in [lo, hi), computed in f64. One draw.
    /// (Rounding to f32 may give `hi` itself, about once in 2²⁵ draws, where lo and hi have different magnitudes.)
    pub fn range(&mut self, lo: f32, hi: f32) -> f32 {
        let (lo, hi) = (f64::from(lo), f64::from(hi));
        (lo + (hi - lo) * f64::from(self.uniform())) as f32
    }

    /// Normal with mean 0 and standard deviation 1: Box–Muller in f64. Always two draws; the second normal number
    /// that they could give is dropped, so that the state stays a counter.
    pub fn normal(&mut self) -> f32 {
        // 53 bits, in (0, 1]: the logarithm is finite.
        let u = ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let v = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }

    /// A whole number in [0, n), each equally likely (D. Lemire, "Fast random integer generation in an interval", 2019,
    /// with its rejection step). `below(0)` is 0. The same on 32-bit and 64-bit machines.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let reject_below = n.wrapping_neg() % n; // 2^64 mod n
            while (product as u64) < reject_below {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as usize
    }

    /// Puts `items` into a random order, each order equally likely (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

impl fmt::Display for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", self.key, self.drawn)
    }
}

/// A saved random state that is not `key:drawn`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a saved random state (two hexadecimal numbers with a colon between)")]
pub struct ParseRngError(String);

impl FromStr for Rng {
    type Err = ParseRngError;

    fn from_str(text: &str) -> Result<Self, ParseRngError> {
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        text.split_once(':')
            .and_then(|(key, drawn)| Some(Self { key: number(key)?, drawn: number(drawn)? }))
            .ok_or_else(|| ParseRngError(text.to_owned()))
    }
}

impl serde::Serialize for Rng {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Rng {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_is_the_generator_of_the_golden_files() {
        // The last line of the golden files' README.
        let values = fill("golden", "conv1.weight", 12346, -1.0, 1.0);
        let got = [values[0], values[1], values[2], values[12345]];
        assert_eq!(got.map(|v| format!("{v:.9}")), ["0.743067503", "0.658534646", "-0.412900209", "0.472354054"]);
    }

    #[test]
    fn splitmix64_is_the_published_one() {
        // Vigna's splitmix64.c started at state 1234567.
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431];
        assert_eq!([0, 1, 2, 3].map(|i| bits_at(1234567, i)), expected);
    }

    #[test]
    fn a_restored_stream_goes_on_bit_for_bit() {
        let mut a = Rng::stream(7, "shuffle");
        for _ in 0..5 {
            a.normal();
        }
        let mut b: Rng = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
        assert_eq!([0; 8].map(|_| a.next_u64()), [0; 8].map(|_| b.next_u64()));
        assert!("12".parse::<Rng>().is_err());
        assert!("1:g".parse::<Rng>().is_err());
    }

    #[test]
    fn seeds_and_names_give_different_streams() {
        let mut first: Vec<u64> = (0..100).map(|seed| Rng::new(seed).next_u64()).collect();
        first.extend((0..100).map(|seed| Rng::stream(seed, "a").next_u64()));
        first.extend((0..100).map(|i| Rng::stream(0, &format!("name{i}")).next_u64()));
        first.extend((0..100).map(|i| Rng::new(0).substream(i).next_u64()));
        first.extend((0..100).map(|i| Rng::new(1).substream(i).next_u64()));
        first.extend((0..100).map(|i| Rng::new(0).substream(1).substream(i).next_u64()));
        let total = first.len();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), total);
    }

    #[test]
    fn uniform_and_range_fill_their_interval() {
        let mut rng = Rng::new(1);
        let n = 100_000;
        let (mut sum, mut lo, mut hi) = (0.0, f32::MAX, f32::MIN);
        for _ in 0..n {
            let x = rng.range(-3.0, 5.0);
            sum += f64::from(x);
            (lo, hi) = (lo.min(x), hi.max(x));
        }
        assert!((sum / f64::from(n) - 1.0).abs() < 0.03, "mean {}", sum / f64::from(n));
        assert!((-3.0..-2.99).contains(&lo) && (4.99..5.0).contains(&hi), "{lo} {hi}");
    }

    #[test]
    fn normal_has_the_moments_of_a_normal() {
        let mut rng = Rng::new(2);
        let n = 200_000;
        let mut moments = [0.0f64; 4];
        for _ in 0..n {
            let x = f64::from(rng.normal());
            for (power, moment) in moments.iter_mut().enumerate() {
                *moment += x.powi(power as i32 + 1) / f64::from(n);
            }
        }
        for (got, expected) in moments.iter().zip([0.0, 1.0, 0.0, 3.0]) {
            assert!((got - expected).abs() < 0.05, "{moments:?}");
        }
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::new(3);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Standard deviation of a count is 93.
        assert!(counts.iter().all(|&c| (9_500..10_500).contains(&c)), "{counts:?}");
        assert_eq!((rng.below(1), rng.below(0)), (0, 0));
    }

    #[test]
    fn shuffle_reaches_every_order_evenly() {
        let mut rng = Rng::new(4);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            rng.shuffle(&mut items);
            *counts.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|c| (850..1150).contains(c)), "{counts:?}");
    }
}
