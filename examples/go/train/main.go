// Finds anomalies in a table of measurements: trains on all rows without their labels, saves, loads, scores from several
// goroutines, draws samples, and asks the gradient which column makes a row unusual.
//
//	NF_DATA_DIR=... go run ./train [model.safetensors]
//
// The data is mammography of ADBench: 11,183 rows of 6 features, of which 2.3 % are calcifications.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	nf "libnf/bindings/go"
)

const spec = `{"event": 6, "layers": [{"type": "standardize"}, {"type": "noise", "std": 0.1},
  {"repeat": 4, "layers": [{"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [64, 64]}}, {"type": "reverse"}]}]}`

func main() {
	folder, path := os.Getenv("NF_DATA_DIR"), "mammography.safetensors"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(filepath.Join(folder, "adbench", "23_mammography.npz"), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(data, path string) error {
	features, err := nf.OpenTable(nil, data, nf.Options{"table.array": "X"})
	if err != nil {
		return err
	}
	defer features.Close()
	x, err := features.View() // the rows stay where the library read them
	if err != nil {
		return err
	}
	scores, err := train(x, path)
	if err != nil {
		return err
	}

	loaded, err := nf.LoadModel(nil, path, nil)
	if err != nil {
		return err
	}
	defer loaded.Close()
	again := make([]float64, x.Rows())
	if err = scoreTogether(loaded, x, again, 8); err != nil {
		return err
	}
	if !slices.Equal(scores, again) {
		return errors.New("the loaded model scores differently")
	}
	threshold, err := loaded.ScoreQuantile(0.01)
	if err != nil {
		return err
	}
	labels, err := readLabels(data)
	if err != nil {
		return err
	}
	hits, found := 0, 0
	for i, s := range again {
		if s < threshold {
			found++
			hits += int(labels[i])
		}
	}
	fmt.Printf("AUROC %.3f; of the rarest 1 %% (%d rows), %d are calcifications\n", auroc(again, labels), found, hits)
	return explain(loaded, x, again)
}

func train(x nf.Array, path string) ([]float64, error) {
	model, err := nf.NewModel(nil, spec, 1)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) // Ctrl-C keeps the best weights so far
	defer stop()
	info, err := model.Fit(ctx, nf.Batch{X: x}, nf.FitConfig{
		Options: nf.Options{"fit.epochs": 10, "batches.batch": 256, "trainer.lr": 2e-3},
		Progress: func(i nf.FitInfo) error {
			if i.Validated && i.Improved {
				fmt.Printf("step %4d of %d: mean log density of the validation rows %.3f\n", i.Step, i.Planned, i.Valid)
			}
			return nil
		}})
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	fmt.Printf("%d steps on %d rows in %.1f s\n", info.Step, info.TrainRows, info.Time.Seconds())
	scores, err := model.LogProb(x, nf.None)
	if err != nil {
		return nil, err
	}
	if err = model.SetScores(nf.Vec(scores)); err != nil { // what the service in ../service compares new rows with
		return nil, err
	}
	return scores, model.Save(path)
}

// scoreTogether scores parts of the rows from several goroutines, each with a session of the model's pool.
func scoreTogether(m *nf.Model, x nf.Array, scores []float64, goroutines int) error {
	errs := make([]error, goroutines)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			from, to := i*len(scores)/goroutines, (i+1)*len(scores)/goroutines
			errs[i] = m.LogProbTo(x.Slice(from, to), nf.None, nf.Vec(scores[from:to]))
		}(i)
	}
	wait.Wait()
	return errors.Join(errs...)
}

func readLabels(data string) ([]float64, error) {
	t, err := nf.OpenTable(nil, data, nf.Options{"table.array": "y"})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	y, err := t.View()
	if err != nil {
		return nil, err
	}
	return y.Float64s()
}

// auroc is the probability that an anomaly has a lower score than another row.
func auroc(scores, labels []float64) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return scores[order[a]] < scores[order[b]] })
	anomalies, pairs := 0.0, 0.0
	for _, i := range order {
		if labels[i] == 1 {
			anomalies++
		} else {
			pairs += anomalies
		}
	}
	return pairs / (anomalies * (float64(len(scores)) - anomalies))
}

// explain says which column of the rarest row is the most unusual, and draws rows as they usually are.
func explain(m *nf.Model, x nf.Array, scores []float64) error {
	rarest := 0
	for i, s := range scores {
		if s < scores[rarest] {
			rarest = i
		}
	}
	columns := m.Info().EventSize
	session, err := m.NewSession(nil)
	if err != nil {
		return err
	}
	defer session.Close()
	gradient, logProb := make([]float64, columns), make([]float64, 1)
	if err = session.LogProbGrad(x.Slice(rarest, rarest+1), nf.None, nf.Vec(logProb), nf.Rows(gradient, columns), nf.None); err != nil {
		return err
	}
	samples, err := m.Sample(1000, nf.Sampling{Seed: 7}, nf.None)
	if err != nil {
		return err
	}
	steepest, largest := 0, 0.0
	for c, g := range gradient {
		sum, squares := 0.0, 0.0
		for i := c; i < len(samples); i += columns {
			sum += samples[i]
			squares += samples[i] * samples[i]
		}
		deviation := math.Sqrt(squares/1000 - sum*sum/1e6)
		if slope := math.Abs(g) * deviation; slope > largest { // in nats for each standard deviation
			steepest, largest = c, slope
		}
	}
	fmt.Printf("row %d is the rarest, log density %.1f; it is the most unusual in column %d: %.1f nats a standard deviation\n",
		rarest, logProb[0], steepest, largest)
	return nil
}
