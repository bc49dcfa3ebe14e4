// SPDX-License-Identifier: Apache-2.0
//
// frames.c's twin for Rust: one block from the end of each way in which closures, traits, iterators
// and panics lead to code. Every function notes its name; what libgcc's unwinder says of the callers
// is noted by the program's own allocator, right where it calls malloc. At the first line of input it
// goes all the ways and prints them; at the second it ends.
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::c_void;
use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

const CALLERS_MAX: usize = 128;
const WAYS_MAX: usize = 40;
const BLOCK_BYTES: usize = 20000; // of the first way; each next one is a byte larger

#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    functions: [&'static str; CALLERS_MAX], // outermost first
    function_count: usize,
    callers: [usize; CALLERS_MAX], // innermost first; the first is the allocator
    caller_count: usize,
}

const NO_WAY: Way = Way {
    name: "",
    functions: [""; CALLERS_MAX],
    function_count: 0,
    callers: [0; CALLERS_MAX],
    caller_count: 0,
};

static mut WAYS: [Way; WAYS_MAX] = [NO_WAY; WAYS_MAX];
static mut WAY_COUNT: usize = 0;
static mut WAY_NAME: &str = "";
static mut LAST_BLOCK: *mut u8 = std::ptr::null_mut();

// ---- what functions note

thread_local! {
    static FUNCTIONS: Cell<[&'static str; CALLERS_MAX]> = const { Cell::new([""; CALLERS_MAX]) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

struct Entered;

impl Entered {
    fn new(function: &'static str) -> Entered {
        let depth = DEPTH.with(|depth| depth.replace(depth.get() + 1));
        FUNCTIONS.with(|functions| {
            let mut copy = functions.get();
            copy[depth] = function;
            functions.set(copy);
        });
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

fn name_of<T>(_: T) -> &'static str {
    std::any::type_name::<T>()
}

// Stays to the end of the function, so that its last call is no jump.
macro_rules! enter {
    () => {
        fn here() {}
        let _entered = Entered::new(name_of(here).strip_suffix("::here").unwrap());
    };
}

// ---- what the allocator notes

extern "C" {
    fn malloc(bytes: usize) -> *mut u8;
    fn free(block: *mut u8);
    fn qsort(
        base: *mut c_void,
        count: usize,
        bytes: usize,
        compare: extern "C" fn(*const i32, *const i32) -> i32,
    );
    fn getpid() -> i32;
}

#[link(name = "gcc_s")]
extern "C" {
    fn _Unwind_Backtrace(each: extern "C" fn(*mut c_void, *mut c_void) -> i32, way: *mut c_void);
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

extern "C" fn add_caller(context: *mut c_void, way: *mut c_void) -> i32 {
    let way = way as *mut Way;
    unsafe {
        let address = _Unwind_GetIP(context);
        if address != 0 && (*way).caller_count < CALLERS_MAX {
            (*way).callers[(*way).caller_count] = address;
            (*way).caller_count += 1;
        }
    }
    0
}

struct Noting;

unsafe impl GlobalAlloc for Noting {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == BLOCK_BYTES + WAY_COUNT {
            let way = &mut *std::ptr::addr_of_mut!(WAYS[WAY_COUNT]);
            WAY_COUNT += 1;
            way.name = WAY_NAME;
            way.function_count = DEPTH.with(|depth| depth.get());
            way.functions = FUNCTIONS.with(|functions| functions.get());
            _Unwind_Backtrace(add_caller, way as *mut Way as *mut c_void);
        }
        let block = malloc(layout.size());
        // Behind the call, which thereby is no jump.
        std::ptr::addr_of_mut!(LAST_BLOCK).write_volatile(block);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        free(block)
    }
}

#[global_allocator]
static NOTING: Noting = Noting;

// ---- the ways

#[inline(never)]
fn allocate() {
    enter!();
    std::mem::forget(Vec::<u8>::with_capacity(unsafe { BLOCK_BYTES + WAY_COUNT }));
}

#[inline(never)]
fn plain() {
    enter!();
    allocate();
}

#[inline(never)]
fn calls(function: &dyn Fn(i32)) {
    enter!();
    function(1);
}

#[inline(never)]
fn closure() {
    enter!();
    calls(&|_| {
        enter!();
        plain();
    });
}

trait Acts {
    fn act(&self);
}

struct Actor<T>(T);

impl Acts for Actor<i64> {
    #[inline(never)]
    fn act(&self) {
        enter!();
        plain();
    }
}

impl<T> Acts for Actor<Vec<T>> {
    #[inline(never)]
    fn act(&self) {
        enter!();
        Actor(7i64).act();
    }
}

#[inline(never)]
fn trait_object(object: &dyn Acts) {
    enter!();
    object.act();
}

#[inline(never)]
fn generic<T: Iterator<Item = u32>>(numbers: T) -> u32 {
    enter!();
    numbers
        .map(|number| {
            enter!();
            if number == 3 {
                plain();
            }
            number + 1
        })
        .filter(|number| number % 2 == 0)
        .fold(0, |sum, number| sum + number)
}

#[inline(never)]
fn sorts() {
    enter!();
    let mut numbers: Vec<i32> = (0..40).map(|number| number * 7 % 40).collect();
    let mut is_done = false;
    numbers.sort_by(|a, b| {
        enter!();
        if !std::mem::replace(&mut is_done, true) {
            plain();
        }
        a.cmp(b)
    });
}

extern "C" fn compares(a: *const i32, b: *const i32) -> i32 {
    static IS_DONE: Once = Once::new();
    enter!();
    IS_DONE.call_once(|| {
        enter!();
        plain();
    });
    unsafe { *a - *b }
}

#[inline(never)]
fn called_from_c() {
    enter!();
    let mut numbers = [3, 1, 2];
    unsafe { qsort(numbers.as_mut_ptr().cast(), numbers.len(), 4, compares) };
}

struct Displayed;

impl fmt::Display for Displayed {
    #[inline(never)]
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        enter!();
        plain();
        formatter.write_str("displayed")
    }
}

#[inline(never)]
fn formats() {
    enter!();
    drop(format!("{:>20}", Displayed));
}

struct Allocates;

impl Drop for Allocates {
    #[inline(never)]
    fn drop(&mut self) {
        enter!();
        plain();
    }
}

#[inline(never)]
fn drops(objects: Vec<Box<Allocates>>) {
    enter!();
    drop(objects);
}

async fn is_awaited(number: i32) -> i32 {
    enter!();
    plain();
    number
}

async fn awaits() -> i32 {
    is_awaited(1).await + 1
}

unsafe fn same_waker(data: *const ()) -> RawWaker {
    RawWaker::new(data, &WAKER)
}
unsafe fn no_waking(_: *const ()) {}
static WAKER: RawWakerVTable = RawWakerVTable::new(same_waker, no_waking, no_waking, no_waking);

#[inline(never)]
fn polls(mut future: Pin<Box<dyn Future<Output = i32>>>) {
    enter!();
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &WAKER)) };
    let is_ready = matches!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(2));
    assert!(is_ready);
}

#[inline(never)]
fn in_thread() {
    enter!();
    plain();
}

fn starts_thread() {
    std::thread::spawn(in_thread).join().unwrap();
}

thread_local!(static AT_THREAD_END: Allocates = Allocates);

fn ends_with_thread() {
    std::thread::spawn(|| AT_THREAD_END.with(|_| ())).join().unwrap();
}

// ---- panics

#[inline(never)]
fn panics(more: i32) {
    enter!();
    if more > 0 {
        panics(more - 1);
    } else {
        panic!("for the test");
    }
}

#[inline(never)]
fn drops_in_panic() {
    enter!();
    let _allocates = Allocates;
    panics(5);
}

#[inline(never)]
fn catches(function: fn()) {
    enter!();
    panic::catch_unwind(AssertUnwindSafe(function)).unwrap_err();
}

#[inline(never)]
fn catches_and_allocates() {
    enter!();
    catches(|| panics(3));
    plain();
}

#[inline(never)]
fn resumes() {
    enter!();
    if let Err(payload) = panic::catch_unwind(|| panics(2)) {
        let _allocates = Allocates;
        panic::resume_unwind(payload);
    }
}

#[inline(never)]
fn overflows() {
    enter!();
    let _allocates = Allocates;
    let nothing: Vec<i32> = Vec::new();
    assert_eq!(nothing[DEPTH.with(|depth| depth.get())], 0);
}

fn panics_in_thread() {
    std::thread::spawn(drops_in_panic).join().unwrap_err();
}

#[inline(never)]
fn in_hook() {
    enter!();
    plain();
}

#[inline(never)]
fn calls_hook() {
    enter!();
    panic::set_hook(Box::new(|_| in_hook()));
    catches(|| panics(1));
    panic::set_hook(Box::new(|_| ()));
}

fn go(name: &'static str, way: impl FnOnce()) {
    unsafe { WAY_NAME = name };
    way();
}

#[inline(never)]
fn go_all_ways() {
    enter!();
    panic::set_hook(Box::new(|_| ()));
    go("plain", plain);
    go("closure", closure);
    go("trait_object", || trait_object(&Actor(3i64)));
    go("generic_trait", || trait_object(&Actor(vec![1.5])));
    go("iterator", || assert!(generic(0..10u32) > 0));
    go("sort", sorts);
    go("called_from_c", called_from_c);
    go("formatted", formats);
    go("dropped", || drops(vec![Box::new(Allocates)]));
    go("future", || polls(Box::pin(awaits())));
    go("thread", starts_thread);
    go("thread_end", ends_with_thread);
    if cfg!(panic = "unwind") {
        go("unwinding", || catches(drops_in_panic));
        go("caught", catches_and_allocates);
        go("resumed", || catches(resumes));
        go("index", || catches(overflows));
        go("thread_panic", panics_in_thread);
        go("hook", calls_hook);
    }
}

// One line of JSON; innermost first.
fn print_ways() {
    let (ways, count) = unsafe { (&*std::ptr::addr_of!(WAYS), WAY_COUNT) };
    let list: Vec<String> = ways[..count]
        .iter()
        .enumerate()
        .map(|(i, way)| {
            let functions: Vec<&str> =
                way.functions[..way.function_count].iter().rev().copied().collect();
            format!(
                "{{\"name\": \"{}\", \"bytes\": {}, \"functions\": {:?}, \"callers\": {:?}}}",
                way.name,
                BLOCK_BYTES + i,
                functions,
                &way.callers[1..way.caller_count.max(1)]
            )
        })
        .collect();
    println!("{{\"pid\": {}, \"ways\": [{}]}}", unsafe { getpid() }, list.join(", "));
}

fn main() {
    let mut line = String::new();
    enter!();
    print_ways();
    if std::io::stdin().read_line(&mut line).unwrap() == 0 {
        return;
    }
    go_all_ways();
    print_ways();
    std::io::stdin().read_line(&mut line).unwrap();
}
