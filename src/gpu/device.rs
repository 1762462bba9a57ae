//! Getting a device, and what goes wrong with one: values, never panics. Knows no network.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What can go wrong with a GPU, as sentences for the page.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GpuError {
    /// No WebGPU, or no adapter.
    #[error("No GPU was found: {reason}")]
    NoAdapter {
        /// What the system said.
        reason: String,
    },
    /// The adapter gave no device.
    #[error("The GPU {adapter} gave no device: {reason}")]
    NoDevice {
        /// Its name.
        adapter: String,
        /// What the system said.
        reason: String,
    },
    /// The device went away (sleep, driver crash, `GPUDevice.destroy`).
    #[error("The GPU device was lost: {reason}")]
    Lost {
        /// What the system said.
        reason: String,
    },
    /// A buffer larger than the device can bind.
    #[error("{label} needs {bytes} bytes, the GPU binds at most {limit}")]
    TooLarge {
        /// Which buffer.
        label: String,
        /// Its size.
        bytes: u64,
        /// The adapter's limit.
        limit: u64,
    },
    /// Something the device reported, or a program it does not have.
    #[error("The GPU reported an error: {0}")]
    Device(String),
}

/// The adapter behind a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdapterInfo {
    /// Its name, as far as the system tells it.
    pub name: String,
    /// Whether it is a program on the CPU (SwiftShader, llvmpipe), not a graphics card.
    pub software: bool,
}

/// What the device reported outside any call.
#[derive(Debug, Default)]
struct Reports {
    lost: Option<String>,
    error: Option<String>,
    /// Whoever waits for the loss.
    waiting: Option<Waker>,
}

/// A device ready to compute.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Which adapter.
    pub adapter: AdapterInfo,
    /// Kept for the canvases of the page.
    #[cfg(target_arch = "wasm32")]
    pub(super) instance: wgpu::Instance,
    #[cfg(target_arch = "wasm32")]
    pub(super) wgpu_adapter: wgpu::Adapter,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    reports: Arc<Mutex<Reports>>,
    pub(super) compiled: Rc<RefCell<super::Compiled>>,
}

fn lock(reports: &Mutex<Reports>) -> MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// Finds the best adapter and opens a device with as much memory a binding as it allows. In the page: `navigator.gpu`,
    /// in a window or a worker.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] and [`GpuError::NoDevice`]; a page without WebGPU gets the former.
    pub async fn acquire() -> Result<Self, GpuError> {
        Self::acquire_binding(u64::MAX).await
    }

    /// The same with at most so many bytes a binding, as a test of lesser devices does.
    ///
    /// # Errors
    /// As [`Gpu::acquire`].
    pub async fn acquire_binding(bytes: u64) -> Result<Self, GpuError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter =
            instance.request_adapter(&options).await.map_err(|e| GpuError::NoAdapter { reason: e.to_string() })?;
        let info = adapter.get_info();
        let name = [info.name.as_str(), info.driver.as_str(), info.driver_info.as_str()]
            .into_iter()
            .find(|s| !s.is_empty())
            .unwrap_or("of unknown name")
            .to_string();
        let software = info.device_type == wgpu::DeviceType::Cpu
            || ["swiftshader", "llvmpipe", "basic render"].iter().any(|s| name.to_ascii_lowercase().contains(s));
        let (most, mut limits) = (adapter.limits(), wgpu::Limits::default());
        limits.max_storage_buffer_binding_size = most.max_storage_buffer_binding_size.min(bytes);
        limits.max_buffer_size = most.max_buffer_size;
        let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| GpuError::NoDevice { adapter: name.clone(), reason: e.to_string() })?;
        let reports = Arc::new(Mutex::new(Reports::default()));
        let told = reports.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            // The first one is the cause; those after it are mostly its consequences.
            lock(&told).error.get_or_insert_with(|| error.to_string());
        }));
        let told = reports.clone();
        device.set_device_lost_callback(move |reason, message| {
            let message = if message.is_empty() { format!("{reason:?}") } else { message };
            let mut reports = lock(&told);
            reports.lost.get_or_insert(message);
            if let Some(waiting) = reports.waiting.take() {
                waiting.wake();
            }
        });
        let adapter_info = AdapterInfo { name, software };
        Ok(Self {
            adapter: adapter_info,
            #[cfg(target_arch = "wasm32")]
            instance,
            #[cfg(target_arch = "wasm32")]
            wgpu_adapter: adapter,
            device,
            queue,
            reports,
            compiled: Rc::default(),
        })
    }

    /// Whether the device still works: what it reported since, if anything.
    ///
    /// # Errors
    /// [`GpuError::Lost`] for good; [`GpuError::Device`] once for each error.
    pub fn check(&self) -> Result<(), GpuError> {
        let mut reports = lock(&self.reports);
        if let Some(reason) = &reports.lost {
            return Err(GpuError::Lost { reason: reason.clone() });
        }
        reports.error.take().map_or(Ok(()), |e| Err(GpuError::Device(e)))
    }

    /// Ready once the device is lost: for those who have nothing to ask of it meanwhile.
    pub fn poll_lost(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut reports = lock(&self.reports);
        if reports.lost.is_some() {
            return Poll::Ready(());
        }
        reports.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Gives the device up, as a test of what follows does.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Largest storage binding, bytes.
    pub(super) fn largest_binding(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Waits for mapping callbacks where nobody else does (natively); in a browser the event loop calls them.
    pub(super) fn wait(&self) -> Result<(), GpuError> {
        if cfg!(target_arch = "wasm32") {
            return Ok(());
        }
        let waited = self.device.poll(wgpu::PollType::wait_indefinitely());
        waited.map(drop).map_err(|e| GpuError::Device(e.to_string()))
    }
}
