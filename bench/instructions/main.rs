//! Runs one case for callgrind and prints how often it asked for memory; without a name, lists all.
//! Not for use by hand: `npm run bench:instructions` starts it, under valgrind, once for each case.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use loopback_socket::instructions::{ALLOCATIONS, CASES};

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every request goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: what the caller promises us is what the system's allocator asks for; so below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: see above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: see above.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(start, layout) }
    }
}

fn main() -> ExitCode {
    // `cargo bench` adds an argument of its own.
    let name = std::env::args().skip(1).find(|arg| arg != "--bench");
    let Some(name) = name else {
        for case in CASES {
            println!("{} {}", case.name, case.operations);
        }
        return ExitCode::SUCCESS;
    };
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        eprintln!("There is no case {name:?}.");
        return ExitCode::FAILURE;
    };
    println!("{}", case.run());
    ExitCode::SUCCESS
}
