//! Reading GPU memory: staging buffers that are used again, and futures that own all they need. Knows no network.

use super::device::{Gpu, GpuError};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Staging buffers nobody uses at the moment.
pub(super) type Pool = Rc<RefCell<Vec<wgpu::Buffer>>>;

/// A staging buffer of at least `bytes`.
pub(super) fn staging(gpu: &Gpu, pool: &Pool, bytes: u64) -> wgpu::Buffer {
    let mut pool = pool.borrow_mut();
    let fits = pool.iter().enumerate().filter(|(_, b)| b.size() >= bytes).min_by_key(|(_, b)| b.size()).map(|(i, _)| i);
    if let Some(i) = fits {
        return pool.swap_remove(i);
    }
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("staging"),
        size: bytes.next_power_of_two().max(256),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    })
}

/// The result of `map_async`, awaited.
#[derive(Default)]
struct Mapped(Arc<Mutex<MapState>>);

#[derive(Default)]
struct MapState {
    result: Option<Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

impl Future for Mapped {
    type Output = Result<(), wgpu::BufferAsyncError>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// As [`read_bytes`], as numbers.
pub(super) async fn read(gpu: Gpu, pool: Pool, buffer: wgpu::Buffer, bytes: u64) -> Result<Vec<f32>, GpuError> {
    let data = read_bytes(gpu, pool, buffer, bytes).await?;
    Ok(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// Maps the first `bytes` of a staging buffer (after all that was submitted before), reads them, gives the buffer back.
pub(super) async fn read_bytes(gpu: Gpu, pool: Pool, buffer: wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, GpuError> {
    if bytes == 0 {
        pool.borrow_mut().push(buffer);
        return Ok(Vec::new());
    }
    let mapped = Mapped::default();
    let state = mapped.0.clone();
    buffer.slice(..bytes).map_async(wgpu::MapMode::Read, move |result| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    });
    gpu.wait()?;
    let result = mapped.await;
    gpu.check()?;
    result.map_err(|e| GpuError::Device(e.to_string()))?;
    let data = {
        let view = buffer.get_mapped_range(..bytes).map_err(|e| GpuError::Device(e.to_string()))?;
        view.to_vec()
    };
    buffer.unmap();
    pool.borrow_mut().push(buffer);
    Ok(data)
}

impl Gpu {
    /// Waits until all that was submitted is done.
    ///
    /// # Errors
    /// What the device reported, its loss above all.
    pub async fn settle(&self) -> Result<(), GpuError> {
        let pool = Pool::default();
        read_bytes(self.clone(), pool.clone(), staging(self, &pool, 4), 4).await.map(drop)
    }
}
