package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sort"
	"sync/atomic"
	"time"

	nf "libnf/bindings/go"
)

// scorer is one loaded model. The service has a reference to the current one, and each request to the one it began with.
type scorer struct {
	model     *nf.Model
	pool      *nf.Pool
	columns   []string // may be empty
	size      int
	threshold float64
	quantiles []float64 // of the scores of the training rows, in even steps from 0 to 1
	hash      string
	loaded    time.Time
	refs      atomic.Int64
}

func loadScorer(rt *nf.Runtime, path string, quantile float64) (*scorer, error) {
	model, err := nf.LoadModel(rt, path, nil)
	if err != nil {
		return nil, err
	}
	s := &scorer{model: model, size: model.Info().EventSize, hash: fmt.Sprintf("%016x", model.Hash()), loaded: time.Now()}
	// A session for each request of a burst: to create and free them all the time would cost, and fragment the memory.
	s.pool = model.NewPool(64, nf.Options{"session.threads": 1})
	s.refs.Store(1)
	if model.Info().CondSize > 0 {
		s.drop()
		return nil, fmt.Errorf("%s: a model with a context cannot score rows by themselves", path)
	}
	if s.threshold, err = model.ScoreQuantile(quantile); err != nil {
		s.drop()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// The model reads its quantiles anew in every call, which costs more than to score a row: the service keeps them.
	s.quantiles = make([]float64, 1001)
	for i := range s.quantiles {
		if s.quantiles[i], err = model.ScoreQuantile(float64(i) / float64(len(s.quantiles)-1)); err != nil {
			s.drop()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if names, ok := model.Note("columns"); ok {
		if err = json.Unmarshal([]byte(names), &s.columns); err != nil || len(s.columns) != s.size {
			s.columns = nil
		}
	}
	return s, nil
}

// rank returns the share of the training rows with a lower score.
func (s *scorer) rank(score float64) float64 {
	q := s.quantiles
	i := sort.SearchFloat64s(q, score) // q[i-1] < score <= q[i]
	if i == 0 {
		return 0
	}
	if i == len(q) {
		return 1
	}
	part := 1.0
	if !math.IsInf(q[i-1], -1) && q[i] > q[i-1] {
		part = (score - q[i-1]) / (q[i] - q[i-1])
	}
	return (float64(i-1) + part) / float64(len(q)-1)
}

// take adds a reference unless there is none left.
func (s *scorer) take() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *scorer) drop() {
	if s.refs.Add(-1) == 0 {
		s.pool.Close()
		s.model.Close()
	}
}

// name of a column, for messages.
func (s *scorer) name(column int) string {
	if column < len(s.columns) {
		return fmt.Sprintf("column %q", s.columns[column])
	}
	return fmt.Sprintf("column %d", column)
}

// models is the current scorer, and where newer ones come from.
type models struct {
	rt       *nf.Runtime
	path     string
	quantile float64
	metrics  *metrics
	current  atomic.Pointer[scorer]
	seen     os.FileInfo
}

func openModels(rt *nf.Runtime, path string, quantile float64, m *metrics) (*models, error) {
	all := &models{rt: rt, path: path, quantile: quantile, metrics: m}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	s, err := loadScorer(rt, path, quantile)
	if err != nil {
		return nil, err
	}
	all.seen = info
	m.loads.Add(1)
	all.current.Store(s)
	return all, nil
}

// acquire returns the current scorer, which the caller drops.
func (m *models) acquire() *scorer {
	for {
		if s := m.current.Load(); s.take() {
			return s
		}
	}
}

// reload loads the file if it is not the one that was seen last. A bad file is reported, and the old model stays.
func (m *models) reload() (bool, error) {
	info, err := os.Stat(m.path)
	if err != nil {
		return false, err
	}
	if os.SameFile(info, m.seen) && info.ModTime().Equal(m.seen.ModTime()) && info.Size() == m.seen.Size() {
		return false, nil
	}
	m.seen = info
	s, err := loadScorer(m.rt, m.path, m.quantile)
	if err != nil {
		m.metrics.loadErrors.Add(1)
		return false, err
	}
	m.metrics.loads.Add(1)
	m.current.Swap(s).drop()
	return true, nil
}

func (m *models) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if changed, err := m.reload(); err != nil {
				slog.Warn("the model was not replaced", "error", err)
			} else if changed {
				slog.Info("the model was replaced", "path", m.path)
			}
		}
	}
}

func (m *models) close() { m.current.Load().drop() }
