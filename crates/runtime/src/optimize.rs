//! Settings for a machine: a pure function of facts about it, in which each value says why.
//!
//! The table that people know is the floor: as many threads as cores and no more than eight; eight requests at once with
//! CUDA, four with MPS, else one; context and quantization by free memory. It is left where a measurement says so, and only
//! there: what runs on machines that nobody measured stays as the table has it.

use std::fmt;

use trillm_machine::{Memory, Processors};

/// What settings depend on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Processors that the process may use.
    pub usable: u32,
    /// On how many physical cores those are; `None` where the system does not say.
    pub cores: Option<u32>,
    /// Bytes of memory to be had; `None` where the system does not say.
    pub available: Option<u64>,
    /// GPUs that this build can use, as their backend names them.
    pub gpus: Vec<String>,
}

impl Facts {
    /// This machine as it is now, with the GPUs that a build can use.
    pub fn now(gpus: Vec<String>) -> Self {
        let Processors { usable, cores, .. } = Processors::now();
        Self { usable, cores, available: Memory::now().map(|memory| memory.available), gpus }
    }
}

/// A value, and why it is that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen<T> {
    /// The value.
    pub value: T,
    /// Why, as a sentence.
    pub reason: String,
}

/// What to compute on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// The processors.
    Cpu,
    /// A GPU of NVIDIA's.
    Cuda,
    /// A GPU of Apple's.
    Mps,
    /// A GPU of another kind, by whatever backend has it.
    Auto,
}

impl Device {
    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Mps => "mps",
            Self::Auto => "auto",
        }
    }

    /// What a GPU is that a backend of llama.cpp calls so: `CUDA0`, `MTL0` or `Metal`, `Vulkan0`.
    pub fn named(gpu: &str) -> Self {
        match gpu.trim_end_matches(|digit: char| digit.is_ascii_digit()) {
            "CUDA" => Self::Cuda,
            "MTL" | "Metal" => Self::Mps,
            _ => Self::Auto,
        }
    }
}

/// Settings, each with its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Compute threads.
    pub threads: Chosen<u32>,
    /// What to compute on.
    pub device: Chosen<Device>,
    /// Tokens in the cache of a model.
    pub context: Chosen<u32>,
    /// Requests of one model that run at once.
    pub batch: Chosen<u32>,
    /// Which quantization to take of a model that comes in several, as GGUF files call it.
    pub quantization: Chosen<&'static str>,
    /// Which engine to prefer.
    pub engine: Chosen<&'static str>,
}

/// The most threads: nobody measured machines where more of them were faster.
const THREADS: u32 = 8;

const GIB: u64 = 1 << 30;

/// The best settings known for a machine.
pub fn optimize(facts: &Facts) -> Settings {
    let device = device(&facts.gpus);
    let (context, quantization) = memory(facts.available);
    let (batch, engine) = (batch(device.value), engine(device.value));
    Settings { threads: threads(facts), device, context, batch, quantization, engine }
}

fn threads(facts: &Facts) -> Chosen<u32> {
    let Facts { usable, cores, .. } = *facts;
    let usable = usable.max(1);
    let free = cores.map_or(usable, |cores| cores.clamp(1, usable));
    let value = free.min(THREADS);
    let whose = match cores {
        Some(cores) if cores < usable => format!(
            "one for each of the {} on which this process's {usable} processors are: two on one core wait for each other",
            count(free, "physical core")
        ),
        _ => format!("one for each of the {} that this process may use", count(usable, "processor")),
    };
    let reason = if value < free { format!("{whose}, and no more than {THREADS}") } else { whose };
    Chosen { value, reason }
}

fn device(gpus: &[String]) -> Chosen<Device> {
    let known = gpus.iter().map(|gpu| (Device::named(gpu), gpu));
    let best = known.min_by_key(|(device, _)| match device {
        Device::Cuda => 0,
        Device::Mps => 1,
        Device::Auto | Device::Cpu => 2,
    });
    match best {
        Some((device, gpu)) => Chosen { value: device, reason: format!("this build can use the GPU {gpu}") },
        None => Chosen { value: Device::Cpu, reason: "no GPU is here that this build can use".into() },
    }
}

fn batch(device: Device) -> Chosen<u32> {
    let (value, reason) = match device {
        Device::Cuda => (8, "a GPU reads its weights once for all requests that run at once"),
        Device::Mps => (4, "a GPU that shares its memory with the processors; more were not measured"),
        // `benches/RESULTS.md`: bf16_streams, onnx_streams.
        Device::Cpu | Device::Auto => {
            (8, "measured on processors: eight at once make 3.5 to 4.6 times the tokens of one")
        }
    };
    Chosen { value, reason: reason.into() }
}

fn memory(available: Option<u64>) -> (Chosen<u32>, Chosen<&'static str>) {
    let (context, quantization, amount) = match available {
        None => (2048, "Q4_K_M", "the system does not say how much memory is free, so the least is taken".into()),
        Some(bytes) => {
            let (context, quantization, range) = match bytes {
                _ if bytes < 4 * GIB => (2048, "Q4_K_M", "less than 4 GiB"),
                _ if bytes < 8 * GIB => (4096, "Q4_K_M", "less than 8 GiB"),
                _ => (8192, "Q8_0", "8 GiB or more"),
            };
            let amount = bytes as f64 / GIB as f64;
            (context, quantization, format!("{amount:.1} GiB of memory can be had, which is {range}"))
        }
    };
    let tokens = Chosen { value: context, reason: format!("{amount}: the cache of a model takes its part") };
    (tokens, Chosen { value: quantization, reason: format!("{amount}: the weights take most of it") })
}

fn engine(device: Device) -> Chosen<&'static str> {
    let reason = match device {
        Device::Cpu => "llama.cpp runs quantized files, the smallest there are of most models",
        Device::Cuda | Device::Mps | Device::Auto => "llama.cpp is the engine here that computes on GPUs",
    };
    Chosen { value: "llama", reason: reason.into() }
}

fn count(number: u32, of: &str) -> impl fmt::Display {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(usable: u32, cores: Option<u32>, available: Option<u64>, gpus: &[&str]) -> Facts {
        Facts { usable, cores, available, gpus: gpus.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn memory_decides_of_context_and_quantization() {
        for (available, context, quantization) in [
            (Some(0), 2048, "Q4_K_M"),
            (Some(4 * GIB - 1), 2048, "Q4_K_M"),
            (Some(4 * GIB), 4096, "Q4_K_M"),
            (Some(8 * GIB - 1), 4096, "Q4_K_M"),
            (Some(8 * GIB), 8192, "Q8_0"),
            (Some(u64::MAX), 8192, "Q8_0"),
            (None, 2048, "Q4_K_M"),
        ] {
            let settings = optimize(&facts(4, None, available, &[]));
            assert_eq!((settings.context.value, settings.quantization.value), (context, quantization), "{available:?}");
        }
    }

    #[test]
    fn threads_are_cores_that_may_be_used_and_at_most_eight() {
        let threads = |usable, cores| optimize(&facts(usable, cores, None, &[])).threads.value;
        assert_eq!(threads(2, Some(2)), 2);
        // Hyper-threads are no cores; a quota may leave fewer processors than there are cores.
        assert_eq!(threads(8, Some(4)), 4);
        assert_eq!(threads(2, Some(16)), 2);
        assert_eq!(threads(6, None), 6);
        assert_eq!(threads(64, Some(32)), 8);
        assert_eq!(threads(0, Some(0)), 1);
    }

    #[test]
    fn the_best_gpu_counts() {
        for (gpus, device, batch) in [
            (&[][..], "cpu", 8),
            (&["Vulkan0"], "auto", 8),
            (&["MTL0"], "mps", 4),
            (&["Metal"], "mps", 4),
            (&["Vulkan0", "CUDA0", "CUDA1"], "cuda", 8),
        ] {
            let settings = optimize(&facts(8, Some(8), Some(16 * GIB), gpus));
            assert_eq!((settings.device.value.name(), settings.batch.value), (device, batch), "{gpus:?}");
            assert_eq!(settings.engine.value, "llama");
        }
    }

    #[test]
    fn this_machine_has_settings() {
        let settings = optimize(&Facts::now(Vec::new()));
        assert!((1..=8).contains(&settings.threads.value));
        assert_eq!(settings.device.value, Device::Cpu);
    }

    #[test]
    fn each_value_says_why() {
        let settings = optimize(&facts(32, Some(16), Some(6 * GIB), &["CUDA0"]));
        assert_eq!(
            settings.threads.reason,
            "one for each of the 16 physical cores on which this process's 32 processors are: two on one core wait for \
             each other, and no more than 8"
        );
        assert_eq!(settings.device.reason, "this build can use the GPU CUDA0");
        assert!(settings.context.reason.starts_with("6.0 GiB of memory can be had, which is less than 8 GiB"));
        let one = optimize(&facts(1, Some(1), None, &[]));
        assert_eq!(one.threads.reason, "one for each of the 1 processor that this process may use");
    }
}
