package nf

import (
	"runtime"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// state counts the calls that are under way on a handle, and frees it once: when it is closed and the last call ended.
type state struct {
	calls atomic.Int64
	free  func()
}

const (
	isClosed = 1 << 62
	isFreed  = 1<<62 | 1<<61
)

// share enters a call that others may be in. It returns false after Close.
func (s *state) share() bool {
	if s.calls.Add(1)&isClosed == 0 {
		return true
	}
	s.leave()
	return false
}

// seize enters a call that must be alone.
func (s *state) seize() bool { return s.calls.CompareAndSwap(0, 1) }

func (s *state) closed() bool { return s.calls.Load()&isClosed != 0 }

func (s *state) leave() {
	if s.calls.Add(-1) == isClosed && s.calls.CompareAndSwap(isClosed, isFreed) {
		s.free()
	}
}

func (s *state) close() {
	for {
		n := s.calls.Load()
		if n&isClosed != 0 {
			return
		}
		if s.calls.CompareAndSwap(n, n|isClosed) {
			if n == 0 && s.calls.CompareAndSwap(isClosed, isFreed) {
				s.free()
			}
			return
		}
	}
}

// refusal says why seize failed.
func (s *state) refusal(what string) error {
	if s.closed() {
		return closed(what + " is closed")
	}
	return failure(ErrState, "%s is in use by another goroutine, or by the call that this callback is from", what)
}

// host is what the callbacks of a runtime have in common, and where their panics wait for a call that can raise them.
type host struct {
	log      func(level int, message string)
	executor func(n int, body func(i int))
	alloc    func(size, align uintptr) uintptr
	free     func(p unsafe.Pointer, size, align uintptr)
	panicked atomic.Pointer[CallbackPanic]
}

// raise panics if a callback of the runtime did. h may be nil.
func (h *host) raise() {
	if h != nil && h.panicked.Load() != nil {
		if p := h.panicked.Swap(nil); p != nil {
			panic(p)
		}
	}
}

// keeper holds cgo.Handles that C memory refers to. Everything that may outlive the object of the handle in C refers to
// the keeper, and finalizers run from the child to the parent, so a handle is deleted after the last C object is freed.
type keeper struct {
	host    *host // of the runtime, or nil
	handles []cgo.Handle
	parents []*keeper
}

func newKeeper(h *host, values []any, parents ...*keeper) *keeper {
	k := &keeper{host: h}
	for _, p := range parents {
		if p == nil {
			continue
		}
		k.parents = append(k.parents, p)
		if k.host == nil {
			k.host = p.host
		}
	}
	for _, v := range values {
		k.handles = append(k.handles, cgo.NewHandle(v))
	}
	if len(k.handles) > 0 {
		runtime.SetFinalizer(k, func(k *keeper) {
			for _, h := range k.handles {
				h.Delete()
			}
		})
	}
	return k
}

func (k *keeper) hosts() *host {
	if k == nil {
		return nil
	}
	return k.host
}
