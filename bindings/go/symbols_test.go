package nf_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// The binding uses every symbol of the library: in its source, and where the library is shared, in this very program.
func TestEverySymbolIsUsed(t *testing.T) {
	list, err := os.ReadFile("../../tests/abi/symbols.txt")
	if err != nil {
		t.Skip("no list of symbols:", err)
	}
	var code strings.Builder
	files, _ := filepath.Glob("*.[gc]*")
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			b, _ := os.ReadFile(f)
			code.Write(b)
		}
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b(nf_\w+)( : nf_\w+)?\)?\(`).FindAllStringSubmatch(code.String(), -1) {
		used[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\? (nf_\w+) : (nf_\w+)\)\(`).FindAllStringSubmatch(code.String(), -1) {
		used[m[1]], used[m[2]] = true, true
	}
	linked := map[string]bool{}
	if self, err := os.Executable(); err == nil {
		if f, err := elf.Open(self); err == nil {
			defer f.Close()
			symbols, _ := f.ImportedSymbols()
			for _, s := range symbols {
				if strings.HasPrefix(s.Name, "nf_") {
					linked[s.Name] = true
				}
			}
		}
	}
	var missing []string
	for _, s := range strings.Fields(regexp.MustCompile(`(?m)^#.*`).ReplaceAllString(string(list), "")) {
		if !used[s] || len(linked) > 0 && !linked[s] {
			missing = append(missing, s)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 || len(used) < 50 {
		t.Fatalf("not used: %v", missing)
	}
	t.Logf("%d symbols in the source, %d in the program", len(used), len(linked))
}
