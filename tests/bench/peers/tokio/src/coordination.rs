// SPDX-License-Identifier: MIT
// S1 to S5 (two workers that have to agree), W18 (a thread that asks a task), W19 (semaphore, mutex).
// The constants are those of tests/bench/coordination.c, boundary.c and sync.c.
use super::{min_time, reps, Cfg};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{mpsc, oneshot, Mutex, Semaphore};

const ROUND_TRIPS: u64 = 256;
const COLD_TRIPS: u64 = 64;
const BATCH: u64 = 2048;
const REQUESTS: u64 = 64;
const BRANCHES: u64 = 16;

enum Msg {
    Value(u64),
    Ask(u64),
}

async fn serve(mut rx: UnboundedReceiver<Msg>, tx: UnboundedSender<u64>) {
    let mut sum = 0u64;
    while let Some(m) = rx.recv().await {
        match m {
            Msg::Value(v) => sum += v,
            Msg::Ask(v) => {
                if tx.send(sum + v).is_err() {
                    break;
                }
                sum = 0;
            }
        }
    }
}
struct Client {
    tx: UnboundedSender<Msg>,
    rx: UnboundedReceiver<u64>,
}
impl Client {
    /// The server is a task of its own on the runtime.
    fn new() -> Client {
        let (tx, rx_server) = mpsc::unbounded_channel();
        let (tx_server, rx) = mpsc::unbounded_channel();
        tokio::spawn(serve(rx_server, tx_server));
        Client { tx, rx }
    }
    async fn trips(&mut self, n: u64) {
        for i in 0..n {
            let _ = self.tx.send(Msg::Ask(i));
            assert_eq!(self.rx.recv().await.unwrap(), i);
        }
    }
    async fn drain(&mut self) {
        for i in 0..BATCH {
            let _ = self.tx.send(Msg::Value(i));
        }
        let _ = self.tx.send(Msg::Ask(0));
        assert_eq!(self.rx.recv().await.unwrap(), BATCH * (BATCH - 1) / 2);
    }
}
type Round = for<'a> fn(&'a mut Client) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// ns for each operation, of one repetition.
async fn client(ops: u64, round: Round) -> f64 {
    let mut c = Client::new();
    c.trips(16).await;
    let (t, mut n) = (Instant::now(), 0);
    while t.elapsed() < min_time() {
        round(&mut c).await;
        n += ops;
    }
    t.elapsed().as_nanos() as f64 / n as f64
}
fn steady_row(c: &Cfg, row: &str, unit: &str, ops: u64, round: Round) {
    let rt = c.rt();
    // The client a task too: both may run on one worker, by turns.
    let spawned = (0..reps()).map(|_| rt.block_on(rt.spawn(client(ops, round))).unwrap()).collect();
    // The client on the thread that waits for it, as spargio measures it: never on the server's worker.
    let blocked = (0..reps()).map(|_| rt.block_on(client(ops, round))).collect();
    c.report_as("", row, unit, spawned);
    c.report_as("-block_on", row, unit, blocked);
}
pub fn ping_pong(c: &Cfg) {
    steady_row(c, "S1_ping_pong", "ns/rtt", ROUND_TRIPS, |x| Box::pin(x.trips(ROUND_TRIPS)));
}
pub fn send_drain(c: &Cfg) {
    steady_row(c, "S2_send_drain", "ns/message", BATCH, |x| Box::pin(x.drain()));
}
pub fn cold_start(c: &Cfg) {
    let v = (0..reps())
        .map(|_| {
            let (t, mut n) = (Instant::now(), 0);
            while t.elapsed() < min_time() {
                c.rt().block_on(async { Client::new().trips(COLD_TRIPS).await });
                n += 1;
            }
            t.elapsed().as_nanos() as f64 / 1e3 / n as f64
        })
        .collect();
    c.report_as("", "S3_cold_start", "us", v);
}

fn compute(seed: u64, steps: u64) -> u64 {
    let mut x = seed ^ 0x9E37_79B9_7F4A_7C15;
    for i in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407 ^ i);
        x ^= x >> 29;
    }
    x
}
fn steps(skewed: bool, request: u64, branch: u64) -> u64 {
    match (skewed, branch == request % BRANCHES) {
        (false, _) => 2000,
        (true, true) => 20_000,
        (true, false) => 500,
    }
}
async fn fan_out(skewed: bool) {
    let mut sum = 0u64;
    for request in 0..REQUESTS {
        let mut hs = Vec::with_capacity(BRANCHES as usize);
        for b in 0..BRANCHES {
            let n = steps(skewed, request, b);
            hs.push(tokio::spawn(async move { compute(request << 32 ^ b, n) }));
        }
        for h in hs {
            sum = sum.wrapping_add(h.await.unwrap());
        }
    }
    std::hint::black_box(sum);
}
/// A nanosecond for each of 1,000 is a microsecond for all.
pub fn fanout(c: &Cfg) {
    c.bench("S4_fanout", "us", 1000, false, || fan_out(false));
}
pub fn fanout_skewed(c: &Cfg) {
    c.bench("S5_fanout_skewed", "us", 1000, false, || fan_out(true));
}

/// A thread that runs no tasks asks, and blocks until the answer.
pub fn boundary(c: &Cfg) {
    const CALLS: usize = 20_000;
    let (mut p50, mut p99) = (vec![], vec![]);
    for _ in 0..reps() {
        let (tx, mut rx) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(64);
        let asker = std::thread::spawn(move || {
            let mut late: Vec<f64> = (0..CALLS as u64)
                .map(|i| {
                    let (r, w) = oneshot::channel();
                    let t = Instant::now();
                    tx.blocking_send((i, r)).unwrap();
                    assert_eq!(w.blocking_recv().unwrap(), i);
                    t.elapsed().as_nanos() as f64 / 1e3
                })
                .collect();
            late.sort_by(|a, b| a.partial_cmp(b).unwrap());
            late
        });
        let rt = c.rt();
        rt.block_on(rt.spawn(async move {
            while let Some((v, r)) = rx.recv().await {
                let _ = r.send(v);
            }
        }))
        .unwrap();
        let late = asker.join().unwrap();
        p50.push(late[CALLS / 2]);
        p99.push(late[CALLS * 99 / 100]);
    }
    c.report_as("", "W18_boundary_p50", "us", p50);
    c.report_as("", "W18_boundary_p99", "us", p99);
}

const HAND_OVERS: usize = 100_000;
async fn hand_over() {
    let (a, b) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(0)));
    let play = |mine: Arc<Semaphore>, other: Arc<Semaphore>| async move {
        for _ in 0..HAND_OVERS / 2 {
            mine.acquire().await.unwrap().forget();
            other.add_permits(1);
        }
    };
    let h = tokio::spawn(play(a.clone(), b.clone()));
    let k = tokio::spawn(play(b, a));
    h.await.unwrap();
    k.await.unwrap();
}
const LOCKERS: usize = 8;
const LOCKS: usize = 10_000;
async fn contended() {
    let m = Arc::new(Mutex::new(0usize));
    let hs: Vec<_> = (0..LOCKERS)
        .map(|_| {
            let m = m.clone();
            tokio::spawn(async move {
                for _ in 0..LOCKS {
                    let mut n = m.lock().await;
                    *n += 1;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for h in hs {
        h.await.unwrap();
    }
    assert_eq!(*m.lock().await, LOCKERS * LOCKS);
}
pub fn sync(c: &Cfg) {
    c.bench("W19_semaphore", "ns/hand-over", HAND_OVERS as u64, false, hand_over);
    c.bench("W19_mutex_8", "ns/lock", (LOCKERS * LOCKS) as u64, false, contended);
}
