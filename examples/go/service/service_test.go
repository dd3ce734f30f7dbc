package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	nf "libnf/bindings/go"
)

const spec = `{"event": 2, "layers": [{"type": "standardize"}, {"repeat": 2, "layers": [
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [8]}}, {"type": "reverse"}]}]}`

// write trains a model of rows around (at, 10 at) and puts it where the service looks, in one step.
func write(t testing.TB, path string, at float64, names bool) {
	t.Helper()
	m, err := nf.NewModel(nil, spec, 1)
	check(t, err)
	defer m.Close()
	r, rows := rand.New(rand.NewSource(1)), []float64{}
	for i := 0; i < 2000; i++ {
		rows = append(rows, at+r.NormFloat64(), 10*at+r.NormFloat64())
	}
	x := nf.Rows(rows, 2)
	_, err = m.Fit(context.Background(), nf.Batch{X: x}, nf.FitConfig{Options: nf.Options{"fit.steps": 50}})
	check(t, err)
	scores, err := m.LogProb(x, nf.None)
	check(t, err)
	check(t, m.SetScores(nf.Vec(scores)))
	if names {
		check(t, m.SetNote("columns", `["a","b"]`))
	}
	check(t, m.Save(path))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type fixture struct {
	*httptest.Server
	models *models
	path   string
	t      testing.TB
}

func serve(t testing.TB, names bool) *fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	write(t, path, 1, names)
	m := newMetrics()
	all, err := openModels(nil, path, 0.01, m)
	check(t, err)
	s := httptest.NewServer(newServer(all, m))
	t.Cleanup(func() { s.Close(); all.close() })
	return &fixture{s, all, path, t}
}

func (f *fixture) post(kind, body string) (int, string) {
	f.t.Helper()
	r, err := http.Post(f.URL+"/score", kind, strings.NewReader(body))
	check(f.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	check(f.t, err)
	return r.StatusCode, string(b)
}

type answer struct {
	Model     string
	Threshold float64
	Scores    []struct {
		LogProb float64 `json:"log_prob"`
		Rank    float64
		Anomaly bool
	}
}

func TestScore(t *testing.T) {
	f := serve(t, true)
	code, text := f.post("application/json", `{"rows": [[1, 10], {"b": 10.5, "a": 0.5}, [30, 1e1]]}`)
	var a answer
	check(t, json.Unmarshal([]byte(text), &a))
	if code != 200 || len(a.Scores) != 3 || a.Scores[0].Anomaly || a.Scores[1].Anomaly || !a.Scores[2].Anomaly {
		t.Fatal(code, text)
	}
	if s := a.Scores[0]; s.Rank < 0.5 || s.LogProb < a.Threshold || a.Scores[2].Rank > 0.01 {
		t.Fatal(text)
	}
	// One row has the same score as among others, as CSV has as JSON, in any order of the columns.
	_, alone := f.post("application/json; charset=utf-8", `{"rows": [{"a": 30, "b": 10}]}`)
	var one answer
	check(t, json.Unmarshal([]byte(alone), &one))
	if d := one.Scores[0].LogProb - a.Scores[2].LogProb; d > 1e-3 || d < -1e-3 {
		t.Fatal(alone)
	}
	want := "log_prob,rank,anomaly\n"
	for _, s := range a.Scores {
		want += fmt.Sprintf("%.9g,%.6g,%v\n", s.LogProb, s.Rank, s.Anomaly)
	}
	for _, body := range []string{"1,10\n0.5,10.5\n30,10\n", "b;id;a\n10;x;1\n10.5;y;0.5\n10;z;30\n"} {
		if code, text := f.post("text/csv", body); code != 200 || text != want {
			t.Fatalf("%d %s, expected %s", code, text, want)
		}
	}
}

func TestErrorsNameRowAndColumn(t *testing.T) {
	f := serve(t, true)
	for _, c := range []struct {
		kind, body string
		code       int
		row, col   int
		says       string
	}{
		{"application/json", `{"rows": [[1, 2], [3, "x"]]}`, 400, 1, 1, `row 1, column "b": "x" is not a number`},
		{"application/json", `{"rows": [[1, null]]}`, 400, 0, 1, `null is not a number`},
		{"application/json", `{"rows": [[1, [2]]]}`, 400, 0, 1, `is not a number`},
		{"application/json", `{"rows": [[1, 1e999]]}`, 400, 0, 1, "out of range"},
		{"application/json", `{"rows": [[1, 2], [3]]}`, 400, 1, 1, `row 1 has 1 numbers: column "b" is missing`},
		{"application/json", `{"rows": [[1, 2, 3]]}`, 400, 0, 2, "more than 2 numbers"},
		{"application/json", `{"rows": [{"a": 1}]}`, 400, 0, 1, `column "b" is missing`},
		{"application/json", `{"rows": [{"a": 1, "c": 2}]}`, 400, 0, -1, `no column "c"`},
		{"application/json", `{"rows": [7]}`, 400, 0, -1, "row 0 is 7"},
		{"application/json", `{"rows": []}`, 400, -1, -1, "no rows"},
		{"application/json", `{"rows": [[1, 2]`, 400, -1, -1, "ends in the middle"},
		{"application/json", `{"rows": [[1, 2]]} 7`, 400, -1, -1, "more after the JSON"},
		{"application/json", `{"rows": [[1, 2]], "more": 1}`, 400, -1, -1, "after the rows"},
		{"application/json", `[[1, 2]]`, 400, -1, -1, "expected"},
		{"application/json", `{"rows": nonsense}`, 400, -1, -1, "invalid character"},
		{"application/json", ``, 400, -1, -1, "ends in the middle"},
		{"text/csv", "a,b\n1,2\n3,x\n", 400, -1, -1, "line 3"},
		{"text/csv", "a,c\n1,2\n", 400, -1, 1, `column "b" is missing`},
		{"text/csv", "1,2,3\n4,5,6\n", 400, 0, -1, "3 columns"},
		{"text/csv", "a,b\n1,\n", 400, -1, -1, "line 2"},
		{"text/csv", "", 400, -1, -1, "no rows"},
		{"text/plain", "1,2", 415, -1, -1, "expected application/json or text/csv"},
		{"", "1,2", 415, -1, -1, "Content-Type"},
	} {
		code, text := f.post(c.kind, c.body)
		var b badRequest
		if err := json.Unmarshal([]byte(text), &b); err != nil || code != c.code || b.Row != c.row || b.Column != c.col || !strings.Contains(b.Message, c.says) {
			t.Errorf("%s: %d %s", c.body, code, text)
		}
	}
	r, err := http.Get(f.URL + "/score")
	check(t, err)
	r.Body.Close()
	if r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
		t.Error(r.Status)
	}
	code, text := f.post("application/json", `{"rows": [[1, `+strings.Repeat(" ", maxBytes)+`2]]}`)
	if code != 413 || !strings.Contains(text, "bytes") {
		t.Error(code, text)
	}
	code, text = serve(t, false).post("application/json", `{"rows": [[1, 2], {"a": 1}]}`)
	if code != 400 || !strings.Contains(text, "send lists") {
		t.Error(code, text)
	}
}

// Models change under a load; every request is answered, by one model as a whole.
func TestSwap(t *testing.T) {
	f := serve(t, true)
	other := filepath.Join(t.TempDir(), "other.safetensors")
	write(t, other, 5, true)
	files := [2][]byte{}
	for i, p := range []string{f.path, other} {
		b, err := os.ReadFile(p)
		check(t, err)
		files[i] = b
	}
	first := f.models.acquire()
	first.drop()
	var stop atomic.Bool
	var answered atomic.Int64
	var wait sync.WaitGroup
	hashes := sync.Map{}
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for !stop.Load() {
				code, text := f.post("application/json", `{"rows": [[1, 10], [5, 50]]}`)
				var a answer
				if err := json.Unmarshal([]byte(text), &a); err != nil || code != 200 || a.Scores[0].Anomaly == a.Scores[1].Anomaly {
					t.Error(code, text)
					return
				}
				hashes.Store(a.Model, a.Scores[0].Anomaly)
				answered.Add(1)
			}
		}()
	}
	for i := 1; i <= 20; i++ {
		time.Sleep(5 * time.Millisecond)
		replace(t, f.path, files[i%2])
		if changed, err := f.models.reload(); err != nil || !changed {
			t.Error(changed, err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	stop.Store(true)
	wait.Wait()
	n := 0
	hashes.Range(func(any, any) bool { n++; return true })
	if n != 2 || answered.Load() < 20 {
		t.Fatalf("%d models answered %d requests", n, answered.Load())
	}
	if first.refs.Load() != 0 || first.take() {
		t.Fatalf("the first model has %d references", first.refs.Load())
	}
	if _, err := first.model.LogProb(nf.Rows([]float64{1, 2}, 2), nf.None); err == nil {
		t.Fatal("the first model was not closed")
	}
	// A broken file changes nothing.
	replace(t, f.path, files[0][:100])
	if changed, err := f.models.reload(); err == nil || changed {
		t.Fatal("a broken file was loaded")
	}
	if code, text := f.post("application/json", `{"rows": [[1, 10]]}`); code != 200 {
		t.Fatal(code, text)
	}
	if changed, err := f.models.reload(); err != nil || changed {
		t.Fatal("a broken file was looked at again:", err)
	}
}

func replace(t *testing.T, path string, file []byte) {
	t.Helper()
	check(t, os.WriteFile(path+".new", file, 0o600))
	check(t, os.Rename(path+".new", path))
}

func TestWatch(t *testing.T) {
	f := serve(t, true)
	old := f.models.current.Load()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.models.watch(ctx, time.Millisecond); close(ended) }()
	write(t, f.path, 2, true)
	for i := 0; f.models.current.Load() == old; i++ {
		if i > 5000 {
			t.Fatal("the newer file was not found")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
}

func TestMetrics(t *testing.T) {
	f := serve(t, true)
	f.post("application/json", `{"rows": [[1, 10], [90, 10]]}`)
	f.post("application/json", `{"rows": 1}`)
	for path, says := range map[string][]string{
		"/metrics": {`nf_requests_total{code="200"} 1`, `nf_requests_total{code="400"} 1`, "nf_rows_total 2", "nf_anomalies_total 1",
			"nf_request_seconds_count 2", `le="+Inf"} 2`, "nf_model_loads_total 1", "nf_in_flight 0", "nf_model_info{hash=", "nf_model_load_errors_total 0"},
		"/model":   {`"names":["a","b"]`, `"quantile":0.01`},
		"/healthz": {"ok"},
	} {
		r, err := http.Get(f.URL + path)
		check(t, err)
		b, err := io.ReadAll(r.Body)
		check(t, err)
		r.Body.Close()
		for _, s := range says {
			if !bytes.Contains(b, []byte(s)) {
				t.Errorf("%s has no %s:\n%s", path, s, b)
			}
		}
	}
}

// The service's ranks are those of the model, up to the steps of its quantiles.
func TestRank(t *testing.T) {
	s := serve(t, true).models.current.Load()
	for score := s.quantiles[0] - 1; score < s.quantiles[1000]+1; score += 0.01 {
		exact := []float64{0}
		check(t, s.model.ScoreRank(nf.Vec([]float64{score}), nf.Vec(exact)))
		if d := s.rank(score) - exact[0]; d > 2e-3 || d < -2e-3 {
			t.Fatalf("score %v: rank %v, expected %v", score, s.rank(score), exact[0])
		}
	}
}

// A model without scores of its training rows is refused, with what to do.
func TestNoThreshold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	m, err := nf.NewModel(nil, spec, 1)
	check(t, err)
	defer m.Close()
	check(t, m.Save(path))
	if _, err = openModels(nil, path, 0.01, newMetrics()); err == nil || !strings.Contains(err.Error(), "score") {
		t.Fatal(err)
	}
	if _, err = openModels(nil, path+"x", 0.01, newMetrics()); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// A signal lets the request under way end.
func TestGracefulStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	write(t, path, 1, true)
	ended := make(chan error, 1)
	address := freeAddress(t)
	go func() { ended <- run(path, 0.01, address, time.Second, 10*time.Second) }()
	for i := 0; ; i++ {
		if r, err := http.Get("http://" + address + "/healthz"); err == nil {
			r.Body.Close()
			break
		} else if i > 2000 {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	body, send := io.Pipe()
	answered := make(chan int, 1)
	go func() {
		r, err := http.Post("http://"+address+"/score", "application/json", body)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		r.Body.Close()
		answered <- r.StatusCode
	}()
	_, _ = io.WriteString(send, `{"rows": [[1, `)
	for { // until the service has the beginning of the request
		r, err := http.Get("http://" + address + "/metrics")
		check(t, err)
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if bytes.Contains(b, []byte("nf_in_flight 1")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	interrupt(t)
	time.Sleep(20 * time.Millisecond)
	if _, err := http.Get("http://" + address + "/healthz"); err == nil {
		t.Error("the service still listens")
	}
	_, _ = io.WriteString(send, `10]]}`)
	send.Close()
	if code := <-answered; code != 200 {
		t.Error("the request under way ended with", code)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
