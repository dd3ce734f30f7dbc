package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	nf "libnf/bindings/go"
)

const maxBytes = 32 << 20 // of a request

type server struct {
	models  *models
	metrics *metrics
}

func newServer(all *models, m *metrics) http.Handler {
	s := &server{all, m}
	mux := http.NewServeMux()
	mux.HandleFunc("/score", s.score)
	mux.HandleFunc("/model", s.model)
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		current := all.acquire()
		defer current.drop()
		m.write(w, current)
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

func (s *server) model(w http.ResponseWriter, _ *http.Request) {
	c := s.models.acquire()
	defer c.drop()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"hash": c.hash, "columns": c.size, "names": c.columns, "threshold": c.threshold,
		"quantile": s.models.quantile, "loaded": c.loaded.Format(time.RFC3339)})
}

// work is the memory of a request, for the next one.
type work struct {
	body      bytes.Buffer
	x, scores []float64
	out       []byte
}

var works = sync.Pool{New: func() any { return &work{} }}

func grow(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	return x[:n]
}

func (s *server) score(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	s.metrics.inFlight.Add(1)
	defer s.metrics.inFlight.Add(-1)
	k := works.Get().(*work)
	defer func() {
		if k.body.Cap() <= 1<<20 { // a single huge request must not stay in memory
			works.Put(k)
		}
	}()
	rows, anomalies, err := s.scoreRows(w, r, k)
	code := http.StatusOK
	if err != nil {
		code = s.refuse(w, r, err)
	} else if _, err = w.Write(k.out); err != nil {
		code = 499 // the client has gone
	}
	s.metrics.done(code, rows, anomalies, time.Since(begin))
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) int {
	var b *badRequest
	if !errors.As(err, &b) {
		slog.Error("a request failed", "error", err)
		b = &badRequest{http.StatusInternalServerError, "internal error", -1, -1}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(b.Code)
	_ = json.NewEncoder(w).Encode(b)
	return b.Code
}

// scoreRows leaves the answer in k.out.
func (s *server) scoreRows(w http.ResponseWriter, r *http.Request, k *work) (rows, anomalies int, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return 0, 0, &badRequest{http.StatusMethodNotAllowed, "POST rows to be scored", -1, -1}
	}
	c := s.models.acquire() // the whole request is scored by this model
	defer c.drop()
	k.body.Reset()
	if _, err = k.body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBytes)); err != nil {
		return 0, 0, readError(err, -1)
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	csv := false
	switch kind {
	case "application/json":
		k.x, err = readJSON(k.body.Bytes(), c, k.x)
	case "text/csv":
		csv = true
		k.x, err = readCSV(s.models.rt, k.body.Bytes(), c)
	default:
		err = &badRequest{http.StatusUnsupportedMediaType,
			fmt.Sprintf("Content-Type is %q: expected application/json or text/csv", kind), -1, -1}
	}
	if err != nil {
		return 0, 0, err
	}
	rows = len(k.x) / c.size
	k.scores = grow(k.scores, rows)
	if rows == 1 {
		err = c.pool.With(func(session *nf.Session) (err error) {
			k.scores[0], err = session.LogProbRow(k.x, nil)
			return err
		})
	} else {
		err = c.pool.With(func(session *nf.Session) error {
			return session.LogProb(nf.Rows(k.x, c.size), nf.None, nf.Vec(k.scores))
		})
	}
	if err != nil {
		return 0, 0, err
	}
	if accept := r.Header.Get("Accept"); accept != "" && accept != "*/*" {
		csv = strings.Contains(accept, "text/csv")
	}
	if csv {
		w.Header().Set("Content-Type", "text/csv")
		k.out = append(k.out[:0], "log_prob,rank,anomaly\n"...)
	} else {
		w.Header().Set("Content-Type", "application/json")
		k.out = append(k.out[:0], `{"model":"`+c.hash+`","threshold":`...)
		k.out = append(number(k.out, c.threshold), `,"scores":[`...)
	}
	for i, score := range k.scores {
		anomaly := !(score >= c.threshold)
		if anomaly {
			anomalies++
		}
		if csv {
			k.out = strconv.AppendFloat(k.out, score, 'g', 9, 64)
			k.out = strconv.AppendFloat(append(k.out, ','), c.rank(score), 'g', 6, 64)
			k.out = append(strconv.AppendBool(append(k.out, ','), anomaly), '\n')
			continue
		}
		if i > 0 {
			k.out = append(k.out, ',')
		}
		k.out = number(append(k.out, `{"log_prob":`...), score)
		k.out = number(append(k.out, `,"rank":`...), c.rank(score))
		k.out = append(strconv.AppendBool(append(k.out, `,"anomaly":`...), anomaly), '}')
	}
	if !csv {
		k.out = append(k.out, "]}\n"...)
	}
	return rows, anomalies, nil
}

// number is null for what JSON has no number for: the score of a row that the model thinks impossible.
func number(out []byte, v float64) []byte {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return append(out, "null"...)
	}
	return strconv.AppendFloat(out, v, 'g', 9, 64)
}
