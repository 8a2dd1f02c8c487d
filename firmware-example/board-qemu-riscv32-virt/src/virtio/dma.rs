//! Memory that devices read and write: pages that are set aside, since there is no heap.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Two for each queue: the network card has two queues, the generator one.
const PAGES: usize = 6;

#[repr(C, align(4096))]
struct Pages(UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>);

// SAFETY: the pages are reached by the pointers that `dma_alloc` gives out alone, and it gives out each once.
unsafe impl Sync for Pages {}

static MEMORY: Pages = Pages(UnsafeCell::new([[0; PAGE_SIZE]; PAGES]));

/// Pages that were given out.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The pages, for virtio-drivers. An address is the same for the program and for devices.
#[derive(Debug)]
pub enum DmaPages {}

// SAFETY: `dma_alloc` gives out pages that are aligned, zeroed and nobody else's; memory and registers are where their
// physical addresses say.
unsafe impl Hal for DmaPages {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = TAKEN.fetch_add(pages, Ordering::Relaxed);
        let memory = MEMORY.0.get().cast::<u8>();
        if first.saturating_add(pages) > PAGES {
            // An address of 0 says that there are none left.
            return (0, NonNull::dangling());
        }
        let start = memory.wrapping_add(first * PAGE_SIZE);
        NonNull::new(start).map_or((0, NonNull::dangling()), |start| (address(start), start))
    }

    /// The pages stay taken: the drivers live as long as the program.
    unsafe fn dma_dealloc(_address: PhysAddr, _start: NonNull<u8>, _pages: usize) -> i32 {
        0
    }

    /// Asked for devices on a PCI bus only, and there is none.
    unsafe fn mmio_phys_to_virt(address: PhysAddr, _size: usize) -> NonNull<u8> {
        let start = core::ptr::with_exposed_provenance_mut(address as usize);
        NonNull::new(start).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        address(buffer.cast())
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

fn address(start: NonNull<u8>) -> PhysAddr {
    start.as_ptr().expose_provenance() as PhysAddr
}
