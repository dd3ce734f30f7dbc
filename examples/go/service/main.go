// An HTTP service that scores rows by a model of libnf: how likely is each, and is it an anomaly?
//
//	nf train auto --data table.csv -o model.safetensors
//	cd examples/go && go run ./service -model ../../model.safetensors -quantile 0.01 -listen 127.0.0.1:8080
//	curl -d '{"rows": [[1, 2, 3]]}' -H 'Content-Type: application/json' 127.0.0.1:8080/score
//	curl --data-binary @new.csv -H 'Content-Type: text/csv' 127.0.0.1:8080/score
//
// GET /metrics is for Prometheus, /healthz for a load balancer, /model says what is loaded. A newer file at the same path is
// loaded within -poll and takes over between two requests. SIGINT and SIGTERM let the requests under way end.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	nf "libnf/bindings/go"
)

func main() {
	path := flag.String("model", "", "file of a model with scores of its training rows (nf train, Model.SetScores)")
	quantile := flag.Float64("quantile", 0.01, "rows rarer than all but this share of the training rows are anomalies")
	listen := flag.String("listen", "127.0.0.1:8080", "address")
	poll := flag.Duration("poll", time.Second, "how often to look for a newer file")
	grace := flag.Duration("grace", 10*time.Second, "how long requests may take to end after a signal")
	flag.Parse()
	if err := run(*path, *quantile, *listen, *poll, *grace); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(path string, quantile float64, listen string, poll, grace time.Duration) error {
	// A goroutine per request scores on the thread that it is on; the library needs no threads of its own.
	rt, err := nf.NewRuntime(nf.RuntimeConfig{Options: nf.Options{"runtime.threads": 1}, Log: func(level int, message string) {
		slog.Log(context.Background(), slog.Level(4*level), message)
	}})
	if err != nil {
		return err
	}
	defer rt.Close()
	m := newMetrics()
	models, err := openModels(rt, path, quantile, m)
	if err != nil {
		return err
	}
	defer models.close()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go models.watch(ctx, poll)
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	slog.Info("listening", "address", l.Addr().String(), "model", path)
	server := &http.Server{Handler: newServer(models, m), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err = server.Shutdown(limit); err != nil {
		return err
	}
	if err = <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	slog.Info("stopped")
	return nil
}
