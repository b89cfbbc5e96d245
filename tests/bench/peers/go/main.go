// SPDX-License-Identifier: MIT
// Go peer: goroutines, channels, timers, contexts, net. usage: gobench <workload> <threads>
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// As for every peer; run.sh interleaves short runs of all of them.
var (
	reps   = envNumber("BENCH_REPS", 5)
	minDur = time.Duration(envNumber("BENCH_MIN_MS", 500)) * time.Millisecond
)

func envNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// xorshift64*: the same numbers for every peer.
type rng uint64

func (r *rng) next() uint64 {
	x := uint64(*r)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = rng(x)
	return x * 2685821657736338717
}

var threads int

func cores(w string) string { return fmt.Sprintf("%s.%dc", w, threads) }

func report(w, unit string, v []float64, higher bool) {
	sort.Float64s(v)
	best := v[0]
	if higher {
		best = v[len(v)-1]
	}
	fmt.Printf("%s go %.4g %s best=%.4g n=%d\n", w, v[len(v)/2], unit, best, len(v))
}
func benchNs(w, unit string, ops int, f func()) {
	v := make([]float64, 0, reps)
	for r := 0; r < reps; r++ {
		n, t := 0, time.Now()
		for time.Since(t) < minDur {
			f()
			n += ops
		}
		v = append(v, float64(time.Since(t).Nanoseconds())/float64(n))
	}
	report(w, unit, v, false)
}
func benchRate(w, unit string, ops int, f func()) {
	v := make([]float64, 0, reps)
	for r := 0; r < reps; r++ {
		n, t := 0, time.Now()
		for time.Since(t) < minDur {
			f()
			n += ops
		}
		v = append(v, float64(n)*1e3/float64(time.Since(t).Nanoseconds()))
	}
	report(w, unit, v, true)
}
func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)*1e-6
}
func rss() float64 {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "VmRSS:") {
			kb, _ := strconv.Atoi(strings.Fields(l)[1])
			return float64(kb) * 1024
		}
	}
	return 0
}

func spawnJoin() {
	benchNs(cores("W1_spawn_join"), "ns/task", 1_000_000, func() {
		for r := 0; r < 1000; r++ {
			var wg sync.WaitGroup
			wg.Add(1000)
			for i := 0; i < 1000; i++ {
				go wg.Done()
			}
			wg.Wait()
		}
	})
}

func yield() {
	benchNs(cores("W2_yield"), "ns/switch", 10_000_000, func() {
		var wg sync.WaitGroup
		wg.Add(2)
		for k := 0; k < 2; k++ {
			go func() {
				for i := 0; i < 5_000_000; i++ {
					runtime.Gosched()
				}
				wg.Done()
			}()
		}
		wg.Wait()
	})
}

func pingpong() {
	run := func(lock bool, rounds int64) func() {
		return func() {
			a, b := make(chan int64, 16), make(chan int64, 16)
			go func() {
				if lock {
					runtime.LockOSThread()
				}
				for v := range a {
					b <- v
				}
			}()
			done := make(chan struct{})
			go func() {
				if lock {
					runtime.LockOSThread()
				}
				for i := int64(0); i < rounds; i++ {
					a <- i
					<-b
				}
				close(a)
				close(done)
			}()
			<-done
		}
	}
	benchNs(cores("W3_pingpong"), "ns/rtt", 1_000_000, run(false, 1_000_000))
	if threads == 2 {
		benchNs("W3_pingpong_forced.2c", "ns/rtt", 10_000, run(true, 10_000))
	}
}

func mpsc() {
	benchRate(cores("W4_mpsc"), "Mmsg/s", 10_000_000, func() {
		c := make(chan uint64, 1024)
		for p := 0; p < 4; p++ {
			go func() {
				for i := uint64(0); i < 2_500_000; i++ {
					c <- i
				}
			}()
		}
		var s uint64
		for i := 0; i < 10_000_000; i++ {
			s += <-c
		}
		if s != 4*(2_500_000*(2_500_000-1)/2) {
			panic("sum")
		}
	})
}

func sky(c chan int64, num, size int64) {
	if size == 1 {
		c <- num
		return
	}
	rc := make(chan int64, 10)
	sub := size / 10
	for i := int64(0); i < 10; i++ {
		go sky(rc, num+i*sub, sub)
	}
	var s int64
	for i := 0; i < 10; i++ {
		s += <-rc
	}
	c <- s
}
func skynet() {
	v := []float64{}
	for r := 0; r < reps; r++ {
		n, t := 0, time.Now()
		for time.Since(t) < minDur {
			c := make(chan int64, 1)
			go sky(c, 0, 1_000_000)
			if <-c != 499999500000 {
				panic("sum")
			}
			n++
		}
		v = append(v, time.Since(t).Seconds()*1e3/float64(n))
	}
	report(cores("W5_skynet"), "ms", v, false)
}

func threadring() {
	const n, hops = 1000, 5_000_000
	benchNs(cores("W6_threadring"), "ns/hop", hops, func() {
		cs := make([]chan int, n)
		for i := range cs {
			cs[i] = make(chan int, 16)
		}
		done := make(chan struct{})
		for i := range cs {
			go func(in, out chan int) {
				for v := range in {
					if v == 0 {
						close(done)
						return
					}
					out <- v - 1
				}
			}(cs[i], cs[(i+1)%n])
		}
		cs[0] <- hops
		<-done
		for _, c := range cs {
			close(c)
		}
	})
}

type call struct {
	arg   int64
	reply chan int64
}

func genserver() {
	benchNs(cores("W7_call"), "ns/call", 1_000_000, func() {
		srv := make(chan call, 16)
		go func() {
			n := int64(0)
			for c := range srv {
				n += c.arg
				c.reply <- n
			}
		}()
		done := make(chan struct{})
		go func() {
			reply := make(chan int64, 1)
			for i := 0; i < 1_000_000; i++ {
				srv <- call{1, reply}
				<-reply
			}
			close(done)
		}()
		<-done
		close(srv)
	})
}

func memory() {
	const n = 1_000_000
	runtime.GC()
	r0 := rss()
	stop := make(chan struct{})
	for i := 0; i < n; i++ {
		go func() { <-stop }()
	}
	time.Sleep(2 * time.Second)
	r1 := rss()
	fmt.Printf("W8_mem_task go %.0f bytes/task best=%.0f n=1\n", (r1-r0)/n, (r1-r0)/n)
}
func memoryActor() {
	const n = 1_000_000
	runtime.GC()
	r0 := rss()
	boxes := make([]chan int64, n)
	for i := 0; i < n; i++ {
		c := make(chan int64, 16)
		boxes[i] = c
		go func() {
			var s int64
			for v := range c {
				s += v
			}
		}()
	}
	time.Sleep(2 * time.Second)
	r1 := rss()
	fmt.Printf("W8_mem_actor go %.0f bytes/actor best=%.0f n=1\n", (r1-r0)/n, (r1-r0)/n)
	runtime.KeepAlive(boxes)
}

func timers() {
	const n = 1_000_000
	cpu, p99 := []float64{}, []float64{}
	for r := 0; r < reps; r++ {
		late := make([]int64, n)
		c0 := cpuSeconds()
		var wg sync.WaitGroup
		wg.Add(n)
		g := rng(88172645463325252 + r)
		for i := 0; i < n; i++ {
			i, d := i, time.Duration(g.next()%1_000_000_000)
			go func() {
				t := time.Now()
				time.Sleep(d)
				late[i] = int64(time.Since(t) - d)
				wg.Done()
			}()
		}
		wg.Wait()
		cpu = append(cpu, cpuSeconds()-c0)
		sort.Slice(late, func(a, b int) bool { return late[a] < late[b] })
		p99 = append(p99, float64(late[n*99/100])/1e6)
	}
	report(cores("W9_sleep_cpu"), "cpu_s", cpu, false)
	report(cores("W9_sleep_late_p99"), "ms", p99, false)
}
func armCancel() {
	benchNs(cores("W9_arm_cancel"), "ns/op", 5_000_000, func() {
		for i := 0; i < 5_000_000; i++ {
			t := time.AfterFunc(time.Duration(1000+i&1023)*time.Millisecond, func() {})
			t.Stop()
		}
	})
}

func echo(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
// 10-ary tree, 5 levels under the root: 111,110 parked tasks; a parent ends after its children.
func node(ctx context.Context, depth int, parent *sync.WaitGroup, up *sync.WaitGroup) {
	defer parent.Done()
	if depth == 0 {
		up.Done()
		<-ctx.Done()
		return
	}
	cctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Add(10)
	for i := 0; i < 10; i++ {
		go node(cctx, depth-1, &wg, up)
	}
	up.Done()
	<-cctx.Done()
	wg.Wait()
}
func cancelTree() {
	const total = 111_110
	v := []float64{}
	for r := 0; r < reps; r++ {
		var sum time.Duration
		n := 0
		for sum < minDur {
			ctx, cancel := context.WithCancel(context.Background())
			var wg, up sync.WaitGroup
			wg.Add(10)
			up.Add(total)
			for i := 0; i < 10; i++ {
				go node(ctx, 4, &wg, &up)
			}
			up.Wait()
			time.Sleep(20 * time.Millisecond)
			t := time.Now()
			cancel()
			wg.Wait()
			sum += time.Since(t)
			n += total
		}
		v = append(v, float64(sum.Nanoseconds())/float64(n))
	}
	report(cores("W12_cancel_tree"), "ns/task", v, false)
}

func main() {
	w := os.Args[1]
	threads = 1
	arg := ""
	if len(os.Args) > 2 {
		threads, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 3 {
		arg = os.Args[3]
	}
	runtime.GOMAXPROCS(threads)
	map[string]func(){
		"W1": spawnJoin, "W2": yield, "W3": pingpong, "W4": mpsc, "W5": skynet, "W6": threadring,
		"W7": genserver, "W8t": memory, "W8a": memoryActor, "W9s": timers, "W9a": armCancel,
		"W10": func() { echo(arg) }, "W12": cancelTree,
	}[w]()
}
