package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Upper ends of the buckets of the latency, in seconds.
var buckets = [...]float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5}

type metrics struct {
	mu       sync.Mutex
	requests map[int]uint64 // by status code

	rows, anomalies   atomic.Uint64
	loads, loadErrors atomic.Uint64
	inFlight          atomic.Int64
	counts            [len(buckets) + 1]atomic.Uint64
	nanoseconds       atomic.Uint64
}

func newMetrics() *metrics { return &metrics{requests: map[int]uint64{}} }

func (m *metrics) done(code, rows, anomalies int, took time.Duration) {
	m.mu.Lock()
	m.requests[code]++
	m.mu.Unlock()
	m.rows.Add(uint64(rows))
	m.anomalies.Add(uint64(anomalies))
	m.nanoseconds.Add(uint64(took))
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	m.counts[i].Add(1)
}

// write gives the text format of Prometheus.
func (m *metrics) write(w io.Writer, s *scorer) {
	head := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	head("nf_requests_total", "counter", "Requests to score rows, by status code.")
	m.mu.Lock()
	for code, n := range m.requests {
		fmt.Fprintf(w, "nf_requests_total{code=\"%d\"} %d\n", code, n)
	}
	m.mu.Unlock()
	head("nf_request_seconds", "histogram", "Time from the first byte to the answer.")
	total := uint64(0)
	for i := range m.counts {
		total += m.counts[i].Load()
		end := "+Inf"
		if i < len(buckets) {
			end = strconv.FormatFloat(buckets[i], 'g', -1, 64)
		}
		fmt.Fprintf(w, "nf_request_seconds_bucket{le=\"%s\"} %d\n", end, total)
	}
	fmt.Fprintf(w, "nf_request_seconds_sum %g\nnf_request_seconds_count %d\n", float64(m.nanoseconds.Load())/1e9, total)
	for _, one := range []struct {
		name, kind, help string
		value            any
	}{
		{"nf_rows_total", "counter", "Rows scored.", m.rows.Load()},
		{"nf_anomalies_total", "counter", "Rows below the threshold.", m.anomalies.Load()},
		{"nf_model_loads_total", "counter", "Models loaded.", m.loads.Load()},
		{"nf_model_load_errors_total", "counter", "Files that could not replace the model.", m.loadErrors.Load()},
		{"nf_in_flight", "gauge", "Requests under way.", m.inFlight.Load()},
		{"nf_threshold", "gauge", "Log density below which a row is an anomaly.", s.threshold},
		{"nf_model_loaded_seconds", "gauge", "When the model was loaded.", s.loaded.Unix()},
		{"go_goroutines", "gauge", "Goroutines.", runtime.NumGoroutine()},
		{"process_resident_memory_bytes", "gauge", "Resident memory; 0 where it is not known.", residentBytes()},
	} {
		head(one.name, one.kind, one.help)
		fmt.Fprintf(w, "%s %v\n", one.name, one.value)
	}
	head("nf_model_info", "gauge", "The model, by the hash of its tensors.")
	fmt.Fprintf(w, "nf_model_info{hash=\"%s\"} 1\n", s.hash)
}

func residentBytes() int {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if fields := bytes.Fields(status); len(fields) > 1 {
		pages, _ := strconv.Atoi(string(fields[1]))
		return pages * os.Getpagesize()
	}
	return 0
}
