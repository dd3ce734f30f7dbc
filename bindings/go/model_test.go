package nf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nf "libnf/bindings/go"
)

// fitted returns a model of bananas after a few steps.
func fitted(t testing.TB) *nf.Model {
	t.Helper()
	m := model(t, spec)
	info, err := m.Fit(context.Background(), nf.Batch{X: nf.Rows(banana(2000, 1), 2)},
		nf.FitConfig{Options: nf.Options{"fit.epochs": 3, "trainer.lr": 5e-3}})
	ok(t, err)
	if info.Stop != nf.StopFinished || info.Step == 0 || info.ValidRows != 200 {
		t.Fatalf("the end of the run: %+v", info)
	}
	return m
}

func TestFitSaveLoadScoreSample(t *testing.T) {
	m, test := fitted(t), nf.Rows(banana(500, 2), 2)
	fresh := model(t, spec)
	ok(t, fresh.InitFromData(nf.Rows(banana(2000, 1), 2), nf.None))
	before := mean(must[[]float64](t)(fresh.LogProb(test, nf.None)))
	scores := must[[]float64](t)(m.LogProb(test, nf.None))
	if mean(scores) < before+0.1 {
		t.Fatalf("training did not improve the model: %v before, %v after", before, mean(scores))
	}

	var file bytes.Buffer
	n := must[int64](t)(m.WriteTo(&file))
	if n != int64(file.Len()) {
		t.Fatalf("WriteTo returned %d, but wrote %d bytes", n, file.Len())
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	ok(t, m.Save(path))
	if saved := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(saved, file.Bytes()) {
		t.Fatal("Save and WriteTo write different files")
	}
	for name, load := range map[string]func() (*nf.Model, error){
		"LoadModel": func() (*nf.Model, error) { return nf.LoadModel(nil, path, nil) },
		"ReadModel": func() (*nf.Model, error) {
			return nf.ReadModel(nil, iotest(file.Bytes()), nf.Options{"load.max_file_bytes": 1 << 20})
		},
		"Clone": func() (*nf.Model, error) { return m.Clone(nil) },
	} {
		loaded := must[*nf.Model](t)(load())
		same(t, name, scores, must[[]float64](t)(loaded.LogProb(test, nf.None)))
		if loaded.Hash() != m.Hash() || m.Hash() == 0 {
			t.Fatalf("%s: the hashes differ", name)
		}
		ok(t, loaded.Close())
	}

	all := must[[]float64](t)(m.Sample(100, nf.Sampling{Seed: 5}, nf.None))
	parts := append(must[[]float64](t)(m.Sample(40, nf.Sampling{Seed: 5}, nf.None)),
		must[[]float64](t)(m.Sample(60, nf.Sampling{Seed: 5, First: 40}, nf.None))...)
	same(t, "samples in two parts", all, parts)
	drawn := make([]float64, 200)
	ok(t, m.Draw(5, nf.None, nf.Rows(drawn, 2)))
	same(t, "Draw", all, drawn)
}

// iotest reads in small pieces.
func iotest(b []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(b[:100]), bytes.NewReader(b[100:]))
}

func TestManyRowsUseOneCall(t *testing.T) {
	m := started(t)
	x := banana(5000, 4) // above the size from which LogProb uses all threads
	big := must[[]float64](t)(m.LogProb(nf.Rows(x, 2), nf.None))
	same(t, "rows one by one", big[:100], must[[]float64](t)(m.LogProb(nf.Rows(x[:200], 2), nf.None)))
	for i := 0; i < 10; i++ {
		if v := must[float64](t)(m.LogProbRow(doubles(x[2*i:2*i+2]), nil)); float32(v) != float32(big[i]) {
			t.Fatalf("row %d: %v and %v", i, v, big[i])
		}
	}
}

func TestArraysOfAllKinds(t *testing.T) {
	m := started(t)
	s := session(t, m, nil)
	x := []float64{1, 2, 0, 1, 3, 2, 1, 1}
	narrow, bytes8 := make([]float32, 8), make([]uint8, 8)
	transposed, spread := make([]float64, 8), make([]float64, 24)
	for i, v := range x {
		narrow[i], bytes8[i] = float32(v), uint8(v)
		transposed[i%2*4+i/2] = v
		spread[23-i/2*6-i%2*2] = v
	}
	want := make([]float64, 4)
	ok(t, s.LogProb(nf.Rows(x, 2), nf.None, nf.Vec(want)))
	for name, a := range map[string]nf.Array{
		"float32": nf.Rows(narrow, 2), "uint8": nf.Rows(bytes8, 2), "shaped": nf.Shaped(x, 4, 2),
		"transposed": nf.Strided(transposed, 0, []int{4, 2}, []int{1, 4}),
		"backwards":  nf.Strided(spread, 23, []int{4, 2}, []int{-6, -2}),
		"slice":      nf.Rows(append([]float64{9, 9}, x...), 2).Slice(1, 5),
	} {
		got := make([]float32, 8)
		ok(t, s.LogProb(a, nf.None, nf.Strided(got, 0, []int{4}, []int{2})))
		for i := range want {
			if float64(got[2*i]) != want[i] || got[2*i+1] != 0 {
				t.Fatalf("%s: %v, expected %v", name, got, want)
			}
		}
		same(t, name, x, must[[]float64](t)(a.Float64s()))
	}
	ok(t, s.LogProb(nf.Rows(x[:0], 2), nf.None, nf.Vec(want[:0])))
	if a := nf.Shaped(x, 2, 2, 2); a.Len() != 8 || a.Rows() != 2 || a.Dtype() != nf.Float64 || len(a.Shape()) != 3 {
		t.Fatalf("%v", a.Shape())
	}
}

func TestImages(t *testing.T) {
	m := model(t, `{"event": [2, 3, 2], "layers": [{"type": "actnorm"}, {"type": "flatten"}, {"type": "affine_coupling"}]}`)
	last, first := make([]float32, 24), make([]float32, 24)
	for i := range last {
		last[i] = float32(i%7) / 7
		n, h, w, c := i/12, i/6%2, i/2%3, i%2
		first[n*12+c*6+h*3+w] = last[i]
	}
	ok(t, m.InitFromData(nf.Images(last, 2, 3, 2), nf.None))
	same(t, "channels first", must[[]float64](t)(m.LogProb(nf.Images(last, 2, 3, 2), nf.None)),
		must[[]float64](t)(m.LogProb(nf.ImagesChannelFirst(first, 2, 2, 3), nf.None)))
	if i := m.Info(); len(i.Event) != 3 || i.Event[1] != 3 || i.EventSize != 12 || !i.Exact || !i.HasLayers {
		t.Fatalf("%+v", i)
	}
}

func TestContext(t *testing.T) {
	m := model(t, condSpec)
	x, cond := banana(3, 1), []float32{0, 1, 2}
	each := must[[]float64](t)(m.LogProb(nf.Rows(x, 2), nf.Rows(cond, 1)))
	for i := range each {
		one := must[[]float64](t)(m.LogProb(nf.Rows(x, 2), nf.Rows(cond[i:i+1], 1)))
		row := must[float64](t)(m.LogProbRow(doubles(x[2*i:2*i+2]), []float64{float64(cond[i])}))
		if one[i] != each[i] || float32(row) != float32(each[i]) {
			t.Fatalf("row %d: %v, with a shared context %v, alone %v", i, each[i], one[i], row)
		}
	}
	samples := must[[]float64](t)(m.Sample(6, nf.Sampling{Seed: 1, Repeat: 2}, nf.Rows(cond, 1)))
	again := must[[]float64](t)(m.Sample(6, nf.Sampling{Seed: 1}, nf.Rows([]float32{0, 0, 1, 1, 2, 2}, 1)))
	same(t, "repeated contexts", samples, again)
}

func TestPartsOfAModel(t *testing.T) {
	m := started(t)
	layers := must[[]nf.LayerInfo](t)(m.Layers())
	tensors := must[[]nf.TensorInfo](t)(m.Tensors())
	if len(layers) != 9 || layers[1].Type != "affine_coupling" || layers[3].Repetition != 1 || layers[1].Columns != 2 {
		t.Fatalf("%+v", layers)
	}
	first := tensors[layers[1].Tensors[0]]
	if !strings.HasPrefix(first.Name, layers[1].Name+".") || !first.Trainable {
		t.Fatalf("%+v is the first tensor of %+v", first, layers[1])
	}
	size := 1
	for _, n := range first.Shape {
		size *= n
	}
	values := make([]float32, size)
	ok(t, m.Tensor(first.Name, nf.Shaped(values, first.Shape...)))
	before := m.Generation()
	values[0] += 0.5
	ok(t, m.SetTensor(first.Name, nf.Shaped(values, first.Shape...)))
	if m.Generation() == before {
		t.Fatal("the generation stayed")
	}
	again := make([]float32, size)
	ok(t, m.Tensor(first.Name, nf.Shaped(again, first.Shape...)))
	same(t, "a tensor that was set", values, again)
	mask := make([]float32, size)
	ok(t, m.Mask(first.Name, nf.Shaped(mask, first.Shape...)))
	if mask[0] != 1 {
		t.Fatalf("the mask of a dense tensor: %v", mask)
	}

	other := model(t, spec)
	ok(t, other.CopyFrom(m))
	if other.Hash() != m.Hash() {
		t.Fatal("a copy differs")
	}

	ok(t, m.SetNote("who", "me"))
	ok(t, m.SetNote("what", "bananas"))
	if v, found := m.Note("who"); !found || v != "me" {
		t.Fatal(v)
	}
	ok(t, m.RemoveNote("who"))
	if notes := must[map[string]string](t)(m.Notes()); notes["what"] != "bananas" || notes["who"] != "" {
		t.Fatal(notes)
	}

	var description struct{ Kind string }
	ok(t, json.Unmarshal(must[json.RawMessage](t)(m.Describe()), &description))
	if description.Kind != "flow" || !strings.Contains(must[string](t)(m.Spec()), `"hidden"`) {
		t.Fatal(description)
	}
	for _, text := range []json.RawMessage{nf.DescribeOptions(), nf.DescribeParts(), nf.DescribeTargets()} {
		if !json.Valid(text) {
			t.Fatalf("no JSON: %.100s", text)
		}
	}
}

func TestScoresAndSelfTest(t *testing.T) {
	m := fitted(t)
	x := nf.Rows(banana(2000, 1), 2)
	scores := must[[]float64](t)(m.LogProb(x, nf.None))
	ok(t, m.SetScores(nf.Vec(scores)))
	ok(t, m.SetSelfTest(10))
	var file bytes.Buffer
	must[int64](t)(m.WriteTo(&file))
	loaded := must[*nf.Model](t)(nf.ReadModel(nil, &file, nf.Options{"load.verify": true}))
	defer loaded.Close()
	low := must[float64](t)(loaded.ScoreQuantile(0.1))
	below := 0
	for _, s := range scores {
		if s < low {
			below++
		}
	}
	near(t, "rows below the quantile", float64(below), 200, 5)
	rank := make([]float64, 1)
	ok(t, loaded.ScoreRank(nf.Vec([]float64{low}), nf.Vec(rank)))
	near(t, "rank", rank[0], 0.1, 0.01)
	info, err := nf.ScoreMean(nf.Vec(scores), nf.None)
	ok(t, err)
	near(t, "mean", info.Mean, mean(scores), 1e-9)
	if info.Rows != 2000 || info.FirstOutside != -1 || info.Error <= 0 {
		t.Fatalf("%+v", info)
	}
}

func TestErrors(t *testing.T) {
	_, err := nf.NewModel(nil, `{"event": 2, "layers": [{"type": "afine_coupling"}]}`, 1)
	var e *nf.Error
	if !errors.Is(err, nf.ErrSpec) || !errors.As(err, &e) || !strings.Contains(e.Message, "layers[0]") || errors.Is(err, nf.ErrShape) {
		t.Fatal(err)
	}
	_, err = nf.LoadModel(nil, filepath.Join(t.TempDir(), "none"), nil)
	if !errors.Is(err, nf.ErrIO) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	m := started(t)
	_, err = m.LogProb(nf.Rows(banana(3, 1), 3), nf.None)
	if !errors.Is(err, nf.ErrShape) || err.Error() == "" {
		t.Fatal(err)
	}
	s := session(t, m, nf.Options{"session.nonfinite": "error"})
	x := doubles(banana(9, 1))
	x[2*7] = 1 / zero
	if err = s.LogProb(nf.Rows(x, 2), nf.None, nf.Vec(make([]float64, 9))); !errors.As(err, &e) || !errors.Is(err, nf.ErrNumeric) || e.Row != 7 {
		t.Fatal(err)
	}
	tr := trainer(t, m, nil)
	if _, err = tr.Step(nf.Batch{X: nf.Rows(x, 2)}); !errors.As(err, &e) || !errors.Is(err, nf.ErrNumeric) || e.Row != 7 || e.Layer != -1 {
		t.Fatalf("%v %+v", err, e)
	}
	if nf.ErrShape.Error() != "NF_ERR_SHAPE" || nf.Status(99).Error() != "NF_ERR_UNKNOWN" {
		t.Fatal("names of statuses")
	}
	if nf.Version() < 200 || nf.VersionString() == "" {
		t.Fatal(nf.Version())
	}
}

var zero float64

func TestOptions(t *testing.T) {
	o := nf.Options{"trainer.lr": 1e-3, "fit.epochs": 5, "trainer.schedule": "cosine", "fit.restore_best": false,
		"trainer.clip_norm": nf.Parsed("2.5")}
	text := string(must[json.RawMessage](t)(o.JSON()))
	for _, part := range []string{`"trainer.lr"`, `5`, `"cosine"`, `false`, `2.5`} {
		if !strings.Contains(text, part) {
			t.Fatalf("%s is not in %s", part, text)
		}
	}
	if text := must[json.RawMessage](t)(nf.Options{}.JSON()); string(text) != "{}" {
		t.Fatalf("%s", text)
	}
	for _, bad := range []nf.Options{{"trainer.learning": 1}, {"trainer.lr": "x"}, {"fit.epochs": struct{}{}},
		{"fit.epochs": uint64(1) << 63}, {"trainer.lr": nf.Parsed("1x")}, {"a\x00": 1}, {"fit.epochs": nil}} {
		if _, err := bad.JSON(); !errors.Is(err, nf.ErrSpec) && !errors.Is(err, nf.ErrArgument) {
			t.Fatalf("%v: %v", bad, err)
		}
	}
}
