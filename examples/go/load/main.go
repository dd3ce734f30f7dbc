// A load for the service: requests of one row over connections that stay open. It prints the latency, and the memory of the
// service on the way.
//
//	go run ./load -address 127.0.0.1:8080 -columns 2 -requests 1000000 -connections 8
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "the service")
	columns := flag.Int("columns", 2, "numbers in a row")
	requests := flag.Int("requests", 1000000, "how many")
	connections := flag.Int("connections", 8, "how many at once")
	flag.Parse()
	if err := run(*address, *columns, *requests, *connections); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string, columns, requests, connections int) error {
	var begun, failed atomic.Int64
	var mu sync.Mutex
	var wait sync.WaitGroup
	var all []time.Duration
	var problem error
	marks := map[int64]bool{int64(requests / 10): true, int64(requests / 2): true}
	begin := time.Now()
	for c := 0; c < connections; c++ {
		wait.Add(1)
		go func(c int) {
			defer wait.Done()
			took, err := client(address, columns, rand.New(rand.NewSource(int64(c))), func() bool {
				n := begun.Add(1)
				if marks[n] {
					fmt.Printf("after %d requests: %s\n", n, resident(address))
				}
				return n <= int64(requests)
			}, &failed)
			mu.Lock()
			all = append(all, took...)
			if err != nil {
				problem = err
			}
			mu.Unlock()
		}(c)
	}
	wait.Wait()
	if problem != nil {
		return problem
	}
	seconds := time.Since(begin).Seconds()
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))] }
	fmt.Printf("after %d requests: %s\n", len(all), resident(address))
	fmt.Printf("%d requests of one row in %.1f s over %d connections, %d failed: %.0f a second, p50 %v, p99 %v, p99.9 %v\n",
		len(all), seconds, connections, failed.Load(), float64(len(all))/seconds, at(0.5), at(0.99), at(0.999))
	if failed.Load() > 0 {
		return fmt.Errorf("%d requests failed", failed.Load())
	}
	return nil
}

func client(address string, columns int, r *rand.Rand, more func() bool, failed *atomic.Int64) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var took []time.Duration
	in := bufio.NewReader(conn)
	for more() {
		numbers := make([]string, columns)
		for i := range numbers {
			numbers[i] = fmt.Sprintf("%.4f", r.NormFloat64())
		}
		body := `{"rows":[[` + strings.Join(numbers, ",") + `]]}`
		request := fmt.Sprintf("POST /score HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			address, len(body), body)
		at := time.Now()
		if _, err = io.WriteString(conn, request); err != nil {
			return took, err
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return took, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil {
			return took, err
		}
		took = append(took, time.Since(at))
		if answer.StatusCode != http.StatusOK {
			failed.Add(1)
		}
	}
	return took, nil
}

// resident asks the service how much memory it has.
func resident(address string) string {
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if bytes, found := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); found {
			var n float64
			fmt.Sscan(bytes, &n)
			return fmt.Sprintf("the service has %.1f MiB resident", n/(1<<20))
		}
	}
	return "the service does not say how much memory it has"
}
