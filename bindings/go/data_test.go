package nf_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	nf "libnf/bindings/go"
)

const text = "name,a,b\none,1,2\ntwo,3,4\nthree,5,6\n"

func TestTables(t *testing.T) {
	options := nf.Options{"table.id": "name"}
	table := must[*nf.Table](t)(nf.ReadTable(nil, strings.NewReader(text), "text.csv", options))
	v := must[nf.Array](t)(table.View())
	same(t, "numbers", must[[]float64](t)(v.Float64s()), []float64{1, 2, 3, 4, 5, 6})
	same(t, "columns", must[[]string](t)(table.Columns()), []string{"a", "b"})
	same(t, "shape", must[[]int](t)(table.Shape()), []int{3, 2})
	id, found := table.RowID(1)
	if table.Row(2) != 2 || table.Row(3) != -1 || table.Line(1) != 3 || !found || id != "two" || table.Mapped() {
		t.Fatal(table.Row(2), table.Row(3), table.Line(1), id)
	}
	if _, found = table.RowID(7); found {
		t.Fatal("a row that does not exist has a name")
	}

	path := filepath.Join(t.TempDir(), "t.csv")
	ok(t, nf.SaveTable(v, path, []string{"p", "q"}))
	again := must[*nf.Table](t)(nf.OpenTable(nil, path, nil))
	defer again.Close()
	same(t, "columns", must[[]string](t)(again.Columns()), []string{"p", "q"})
	var what struct {
		Format  string
		Columns int
	}
	ok(t, json.Unmarshal(must[json.RawMessage](t)(nf.DescribeTable(nil, path, nil)), &what))
	if what.Format != "csv" || what.Columns != 2 {
		t.Fatal(what)
	}
	ok(t, json.Unmarshal(must[json.RawMessage](t)(nf.DescribeTableBytes(nil, must[[]byte](t)(os.ReadFile(path)), "x", nil)), &what))
	if err := nf.SaveTable(v, path, []string{"p"}); !errors.Is(err, nf.ErrShape) {
		t.Fatal(err)
	}

	m := started(t)
	scores := must[[]float64](t)(m.LogProb(v, nf.None)) // in place
	same(t, "scores", scores, must[[]float64](t)(m.LogProb(nf.Rows([]float64{1, 2, 3, 4, 5, 6}, 2), nf.None)))
	if err := m.Draw(1, nf.None, v); !errors.Is(err, nf.ErrArgument) {
		t.Fatal("the table was written:", err)
	}
	ok(t, table.Close())
	if _, err := m.LogProb(v, nf.None); !errors.Is(err, nf.ErrClosed) || !errors.Is(err, nf.ErrState) {
		t.Fatal(err)
	}
	if _, err := v.Float64s(); !errors.Is(err, nf.ErrClosed) {
		t.Fatal(err)
	}
	_, err := nf.ReadTable(nil, strings.NewReader("1,2\n3,x\n"), "bad.csv", nf.Options{"table.header": "absent"})
	if !errors.Is(err, nf.ErrFormat) || !strings.Contains(err.Error(), "line 2") {
		t.Fatal(err)
	}
}

func TestBatches(t *testing.T) {
	b := must[*nf.Batches](t)(nf.NewBatches(nil, nf.Batch{X: nf.Rows(banana(100, 1), 2), Weight: nf.Vec(ones(100))},
		nf.Options{"batches.batch": 30, "batches.seed": 1}))
	runtime.GC() // the rows are only referred to by C
	x := banana(100, 1)
	seen := map[int64]bool{}
	if b.PerEpoch() != 4 {
		t.Fatal(b.PerEpoch())
	}
	for step := uint64(0); step < 4; step++ {
		batch := must[nf.Batch](t)(b.Next(step))
		rows := must[[]float64](t)(batch.X.Float64s())
		for i := 0; i < batch.X.Rows(); i++ {
			k := b.Row(i)
			seen[k] = true
			if rows[2*i] != float64(x[2*k]) || rows[2*i+1] != float64(x[2*k+1]) {
				t.Fatalf("row %d of batch %d is not row %d", i, step, k)
			}
		}
	}
	if len(seen) != 100 || b.Row(1000) != -1 {
		t.Fatal(len(seen))
	}
	old := must[nf.Batch](t)(b.Next(0))
	must[nf.Batch](t)(b.Next(1))
	if _, err := old.X.Float64s(); !errors.Is(err, nf.ErrState) {
		t.Fatal("an old batch was read:", err)
	}
	last := must[nf.Batch](t)(b.Next(1))
	ok(t, b.Close())
	if _, err := last.X.Float64s(); !errors.Is(err, nf.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := b.Next(0); !errors.Is(err, nf.ErrClosed) {
		t.Fatal(err)
	}
	tr := trainer(t, model(t, spec), nil)
	if err := tr.Run(context.Background(), b, 1, nil); !errors.Is(err, nf.ErrClosed) {
		t.Fatal(err)
	}
}
