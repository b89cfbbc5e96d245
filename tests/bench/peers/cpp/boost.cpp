// SPDX-License-Identifier: MIT
// Boost.Fiber 1.81 peer. usage: boostbench <workload> <threads> [arg]
// 1 thread: round_robin; 2 threads: work_stealing without suspension (idle schedulers spin), as in Boost's own benchmarks.
#include "../c/bench.h"
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/fiber/all.hpp>
#include <algorithm>
#include <malloc.h>
#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>
namespace bf = boost::fibers;
namespace bc = boost::context;
static const char *PEER = "boost.fiber-1.81";
static int T = 1;
static std::string W(const char *s) { return std::string(s) + "." + std::to_string(T) + "c"; }
// One thread: pooled stacks. Two threads: a fiber may end on another thread than it began on, and the pool is not
// thread-safe, so plain (malloc) fixed-size stacks.
static bf::pooled_fixedsize_stack &pooled(size_t n) {
  static bf::pooled_fixedsize_stack big{16 * 1024, 1024}, small{8 * 1024, 1024}; return n > 8192 ? big : small;
}
template <class F> bf::fiber start(bf::launch l, size_t n, F &&f) {
  if (T == 1) return bf::fiber(l, std::allocator_arg, pooled(n), std::forward<F>(f));
  return bf::fiber(l, std::allocator_arg, bf::fixedsize_stack(n), std::forward<F>(f));
}
template <class F> bf::fiber go(F &&f) { return start(bf::launch::post, 16 * 1024, std::forward<F>(f)); }

static void w1() {
  std::vector<bf::fiber> v; v.reserve(1000);
  BENCH_NS(W("W1_spawn_join").c_str(), PEER, "ns/task", 1000000, {
    for (int r = 0; r < 1000; r++) {
      for (int i = 0; i < 1000; i++) v.push_back(go([] {}));
      for (auto &f : v) f.join();
      v.clear();
    }
  });
}
static void w2() {
  BENCH_NS(W("W2_yield").c_str(), PEER, "ns/switch", 10000000, {
    auto f = [] { for (int i = 0; i < 5000000; i++) boost::this_fiber::yield(); };
    auto a = go(f); auto b = go(f); a.join(); b.join();
  });
  bc::fiber f{std::allocator_arg, bc::fixedsize_stack(16384), [](bc::fiber &&m) { for (;;) m = std::move(m).resume(); return std::move(m); }};
  BENCH_NS(W("W2_raw_switch").c_str(), "boost.context-1.81", "ns/switch", 10000000, {
    for (int i = 0; i < 5000000; i++) f = std::move(f).resume();
  });
}
using Chan = bf::buffered_channel<int64_t>;
static void w3() {
  BENCH_NS(W("W3_pingpong").c_str(), PEER, "ns/rtt", 1000000, {
    Chan a(16); Chan b(16);
    auto p = go([&] { int64_t v; while (a.pop(v) == bf::channel_op_status::success) b.push(v); });
    auto q = go([&] { int64_t v; for (int i = 0; i < 1000000; i++) { a.push(i); b.pop(v); } a.close(); });
    p.join(); q.join();
  });
}
static void w3f() {  // one fiber on each of two threads, which never migrate (round_robin)
  BENCH_NS("W3_pingpong_forced.2c", PEER, "ns/rtt", 10000, {
    Chan a(16); Chan b(16);
    std::thread p([&] { int64_t v; while (a.pop(v) == bf::channel_op_status::success) b.push(v); });
    std::thread q([&] { int64_t v; for (int i = 0; i < 10000; i++) { a.push(i); b.pop(v); } a.close(); });
    p.join(); q.join();
  });
}
static void w4() {
  BENCH_RATE(W("W4_mpsc").c_str(), PEER, "Mmsg/s", 10000000, {
    bf::buffered_channel<uint64_t> c(1024); std::vector<bf::fiber> ps;
    for (int p = 0; p < 4; p++) ps.push_back(go([&] { for (uint64_t i = 0; i < 2500000; i++) c.push(i); }));
    uint64_t s = 0;
    go([&] { uint64_t v; for (int i = 0; i < 10000000; i++) { c.pop(v); s += v; } }).join();
    for (auto &p : ps) p.join();
    if (s != 4ull * (2500000ull * 2499999 / 2)) abort();
  });
}
static uint64_t sky(uint64_t num, uint64_t size) {
  if (size == 1) return num;
  uint64_t sub = size / 10; uint64_t r[10]; bf::fiber f[10];
  for (uint64_t i = 0; i < 10; i++)
    f[i] = start(bf::launch::dispatch, 8 * 1024, [=, p = &r[i]] { *p = sky(num + i * sub, sub); });
  uint64_t s = 0;
  for (int i = 0; i < 10; i++) { f[i].join(); s += r[i]; }
  return s;
}
static void w5() {
  BENCH_NS(W("W5_skynet").c_str(), PEER, "ms", 1000000, {
    uint64_t s = 0; go([&] { s = sky(0, 1000000); }).join();
    if (s != 499999500000ull) abort();
  });
}
static void w6() {
  BENCH_NS(W("W6_threadring").c_str(), PEER, "ns/hop", 5000000, {
    std::vector<std::unique_ptr<Chan>> c; std::vector<bf::fiber> f;
    for (int i = 0; i < 1000; i++) c.emplace_back(new Chan(16));
    for (int i = 0; i < 1000; i++) f.push_back(go([&c, i] {
      Chan &in = *c[i]; Chan &out = *c[(i + 1) % 1000]; int64_t v;
      while (in.pop(v) == bf::channel_op_status::success) {
        if (v == 0) { for (auto &x : c) x->close(); return; }
        out.push(v - 1);
      }
    }));
    c[0]->push(5000000);
    for (auto &x : f) x.join();
  });
}
static void w7() {
  struct Call { int64_t arg; Chan *reply; };
  BENCH_NS(W("W7_call").c_str(), PEER, "ns/call", 1000000, {
    bf::buffered_channel<Call> srv(16);
    auto s = go([&] { Call c; int64_t n = 0; while (srv.pop(c) == bf::channel_op_status::success) c.reply->push(n += c.arg); });
    go([&] { Chan r(2); int64_t v; for (int i = 0; i < 1000000; i++) { srv.push(Call{1, &r}); r.pop(v); } }).join();
    srv.close(); s.join();
  });
}
static void w8() {
  const int n = 1000000; long r0 = rss_bytes();
  bf::buffered_channel<int> c(2);
  for (int i = 0; i < n; i++) start(bf::launch::dispatch, 8 * 1024, [&c] { int v; c.pop(v); }).detach();
  double b = (double)(rss_bytes() - r0) / n;
  printf("W8_mem_task %s %.0f bytes/task best=%.0f n=1\n", PEER, b, b); fflush(stdout); _exit(0);
}
static void w9s() {
  const int n = 1000000; double cpu[REPS_MAX], p99[REPS_MAX]; uint64_t seed = 88172645463325252ull;
  std::vector<int64_t> late(n);
  for (int r = 0; r < reps(); r++) {
    double c0 = cpu_s(); std::vector<bf::fiber> f; f.reserve(n);
    for (int i = 0; i < n; i++) {
      uint64_t d = rng_next(&seed) % 1000000000;
      f.push_back(start(bf::launch::dispatch, 8 * 1024, [d, p = &late[i]] {
        uint64_t t = now_ns(); boost::this_fiber::sleep_for(std::chrono::nanoseconds(d)); *p = (int64_t)(now_ns() - t - d); }));
    }
    for (auto &x : f) x.join();
    cpu[r] = cpu_s() - c0;
    std::sort(late.begin(), late.end()); p99[r] = (double)late[n / 100 * 99] / 1e6;
  }
  report(W("W9_sleep_cpu").c_str(), PEER, cpu, reps(), "cpu_s", 0);
  report(W("W9_sleep_late_p99").c_str(), PEER, p99, reps(), "ms", 0);
}
static void run(const std::string &w) {
  if (w == "W1") w1(); else if (w == "W2") w2(); else if (w == "W3") { w3(); if (T == 2) w3f(); }
  else if (w == "W4") w4(); else if (w == "W5") w5(); else if (w == "W6") w6(); else if (w == "W7") w7();
  else if (w == "W8t") w8(); else if (w == "W9s") w9s(); else exit(2);
}
int main(int argc, char **argv) {
  if (argc < 3) return 2;
  T = atoi(argv[2]); std::string w = argv[1];
  if (T == 1) { run(w); return 0; }
  mallopt(M_TRIM_THRESHOLD, 1 << 30); mallopt(M_TOP_PAD, 16 << 20); mallopt(M_MMAP_THRESHOLD, 1 << 30);  // keep freed stacks
  bf::mutex m; bf::condition_variable_any cv; bool done = false;
  std::thread t([&] {
    bf::use_scheduling_algorithm<bf::algo::work_stealing>(2);
    std::unique_lock<bf::mutex> l(m); cv.wait(l, [&] { return done; });
  });
  bf::use_scheduling_algorithm<bf::algo::work_stealing>(2);
  // The workload runs in a fiber that may be stolen; join it from the (pinned) main fiber.
  bf::fiber(bf::launch::post, std::allocator_arg, bf::fixedsize_stack(256 * 1024), [&] { run(w); fflush(stdout); }).join();
  { std::unique_lock<bf::mutex> l(m); done = true; } cv.notify_all();
  t.join();
}
