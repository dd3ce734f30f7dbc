package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	nf "libnf/bindings/go"
)

// badRequest is an error of the client, with what the answer says of it. Row and column count from 0; -1 is none.
type badRequest struct {
	Code    int    `json:"-"`
	Message string `json:"error"`
	Row     int    `json:"row"`
	Column  int    `json:"column"`
}

func (b *badRequest) Error() string { return b.Message }

func bad(row, column int, format string, args ...any) error {
	return &badRequest{http.StatusBadRequest, fmt.Sprintf(format, args...), row, column}
}

// readError tells a request that is too large from one that is cut or no JSON.
func readError(err error, row int) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &badRequest{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has more than %d bytes: send it in parts", large.Limit), -1, -1}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad(row, -1, "the request ends in the middle of the JSON")
	}
	if row >= 0 {
		return bad(row, -1, "row %d: %v", row, err)
	}
	return bad(row, -1, "%v", err)
}

const wanted = `expected {"rows": [[number, ...], ...]}, or objects of numbers as rows`

// readJSON reads {"rows": [ROW, ...]}, where ROW is a list of numbers or an object of them by the names of the columns.
func readJSON(body []byte, s *scorer, into []float64) ([]float64, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for _, want := range []json.Token{json.Delim('{'), "rows", json.Delim('[')} {
		got, err := d.Token()
		if err != nil {
			return nil, readError(err, -1)
		}
		if got != want {
			return nil, bad(-1, -1, "found %v: %s", got, wanted)
		}
	}
	x, row := into[:0], 0
	for ; d.More(); row++ {
		open, err := d.Token()
		if err != nil {
			return nil, readError(err, row)
		}
		switch open {
		case json.Delim('['):
			x, err = readList(d, s, x, row)
		case json.Delim('{'):
			x, err = readObject(d, s, x, row)
		default:
			err = bad(row, -1, "row %d is %v: %s", row, open, wanted)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		got, err := d.Token()
		if err != nil {
			return nil, readError(err, -1)
		}
		if got != want {
			return nil, bad(-1, -1, "found %v after the rows: %s", got, wanted)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(-1, -1, "there is more after the JSON")
	}
	if row == 0 {
		return nil, bad(-1, -1, "there are no rows")
	}
	return x, nil
}

func readList(d *json.Decoder, s *scorer, x []float64, row int) ([]float64, error) {
	column := 0
	for ; d.More(); column++ {
		if column == s.size {
			return nil, bad(row, column, "row %d has more than %d numbers", row, s.size)
		}
		v, err := readNumber(d, s, row, column)
		if err != nil {
			return nil, err
		}
		x = append(x, v)
	}
	if column < s.size {
		return nil, bad(row, column, "row %d has %d numbers: %s is missing", row, column, s.name(column))
	}
	return x, closing(d, row)
}

func readObject(d *json.Decoder, s *scorer, x []float64, row int) ([]float64, error) {
	if len(s.columns) == 0 {
		return nil, bad(row, -1, "row %d is an object, but the model has no names of columns: send lists", row)
	}
	from := len(x)
	for range s.columns {
		x = append(x, math.NaN())
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, readError(err, row)
		}
		column := indexOf(s.columns, key.(string))
		if column < 0 {
			return nil, bad(row, -1, "row %d: the model has no column %q", row, key)
		}
		if x[from+column], err = readNumber(d, s, row, column); err != nil {
			return nil, err
		}
	}
	for column, v := range x[from:] {
		if math.IsNaN(v) {
			return nil, bad(row, column, "row %d: %s is missing", row, s.name(column))
		}
	}
	return x, closing(d, row)
}

func closing(d *json.Decoder, row int) error {
	if _, err := d.Token(); err != nil {
		return readError(err, row)
	}
	return nil
}

func readNumber(d *json.Decoder, s *scorer, row, column int) (float64, error) {
	t, err := d.Token()
	if err != nil {
		return 0, readError(err, row)
	}
	n, is := t.(json.Number)
	if !is {
		if text, isText := t.(string); isText {
			t = strconv.Quote(text)
		} else if t == nil {
			t = "null"
		}
		return 0, bad(row, column, "row %d, %s: %v is not a number", row, s.name(column), t)
	}
	v, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return 0, bad(row, column, "row %d, %s: %s is out of range", row, s.name(column), n)
	}
	return v, nil
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// readCSV leaves separators, quotes and headers to the library. Columns with names may come in any order, and others beside.
func readCSV(rt *nf.Runtime, file []byte, s *scorer) ([]float64, error) {
	if len(file) == 0 {
		return nil, bad(-1, -1, "there are no rows")
	}
	options := nf.Options{}
	if len(s.columns) > 0 {
		var what struct {
			Header bool     `json:"header"`
			Names  []string `json:"names"`
		}
		text, err := nf.DescribeTableBytes(rt, file, "request", nil)
		if err != nil {
			return nil, ofClient(err)
		}
		if err = json.Unmarshal(text, &what); err != nil {
			return nil, err
		}
		if what.Header {
			list := make([]string, s.size)
			for column, name := range s.columns {
				at := indexOf(what.Names, name)
				if at < 0 {
					return nil, bad(-1, column, "%s is missing: the file has %q", s.name(column), what.Names)
				}
				list[column] = strconv.Itoa(at)
			}
			options["table.columns"] = strings.Join(list, ",")
		}
	}
	t, err := nf.ParseTable(rt, file, "request", options)
	if err != nil {
		return nil, ofClient(err)
	}
	defer t.Close()
	x, err := t.View()
	if err != nil {
		return nil, err
	}
	if shape := x.Shape(); len(shape) != 2 || shape[1] != s.size {
		return nil, bad(0, -1, "the rows have %d columns, but the model has %d", shape[len(shape)-1], s.size)
	}
	if x.Rows() == 0 {
		return nil, bad(-1, -1, "there are no rows")
	}
	return x.Float64s()
}

// ofClient makes an error of the library's parser one of the client: its message names line and column.
func ofClient(err error) error {
	var e *nf.Error
	if errors.As(err, &e) && e.Status != nf.ErrNoMemory && e.Status != nf.ErrState {
		return bad(int(e.Row), -1, "%s", e.Message)
	}
	return err
}
