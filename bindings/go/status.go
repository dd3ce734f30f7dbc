package nf

// #include "nfgo.h"
import "C"

import (
	"errors"
	"fmt"
	"syscall"
)

// Status is the kind of an error. Compare with errors.Is(err, nf.ErrShape).
type Status int32

// The kinds of errors; nf.h says more about each.
const (
	ErrArgument    Status = C.NF_ERR_ARGUMENT     // nil, or a bad flag, index or name
	ErrState       Status = C.NF_ERR_STATE        // a valid call at the wrong time
	ErrShape       Status = C.NF_ERR_SHAPE        // an array's type, rank or extents are wrong
	ErrSpec        Status = C.NF_ERR_SPEC         // the model spec or an option is invalid
	ErrNoMemory    Status = C.NF_ERR_NOMEM        // out of memory, or above "runtime.max_bytes"
	ErrIO          Status = C.NF_ERR_IO           // an error of the operating system
	ErrFormat      Status = C.NF_ERR_FORMAT       // the file is not in the expected format
	ErrChecksum    Status = C.NF_ERR_CHECKSUM     // the file is well formed, but its content changed
	ErrVersion     Status = C.NF_ERR_VERSION      // the file or header is newer than the library
	ErrNumeric     Status = C.NF_ERR_NUMERIC      // NaN or infinity in a loss, gradient or parameter
	ErrNotInverted Status = C.NF_ERR_NOT_INVERTED // a numerical inverse missed its tolerance
	ErrCancelled   Status = C.NF_ERR_CANCELLED    // a context or a callback stopped the call
	ErrCallback    Status = C.NF_ERR_CALLBACK     // a callback failed
	ErrUnsupported Status = C.NF_ERR_UNSUPPORTED  // not possible in this configuration
	ErrInternal    Status = C.NF_ERR_INTERNAL     // a bug in libnf: please report it
)

// Error returns the name of the status, such as "NF_ERR_SHAPE".
func (s Status) Error() string { return C.GoString(C.nf_status_name(C.nf_status(s))) }

var (
	// ErrClosed is the cause of an ErrState: the handle, or the table that an array is from, was closed before.
	ErrClosed = errors.New("already closed")
	// ErrStop ends a run when a progress callback returns it, and is not an error: the run keeps what it has.
	ErrStop = errors.New("stop")
)

// Error is an error of the library.
type Error struct {
	Status  Status
	Errno   syscall.Errno // of an ErrIO, otherwise 0
	Layer   int           // the layer at fault, as in Model.Layers; -1 if none
	Row     int64         // the first row at fault of the call's batch; -1 if none
	Message string        // what is wrong, where, and what would be right
	Cause   error         // what a callback or a context returned, or nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("nf: %s: %v (%v)", e.Message, e.Cause, e.Status)
	}
	return fmt.Sprintf("nf: %s (%v)", e.Message, e.Status)
}

// Unwrap returns the status, the operating system's error and the cause.
func (e *Error) Unwrap() []error {
	all := []error{e.Status}
	if e.Errno != 0 {
		all = append(all, e.Errno)
	}
	if e.Cause != nil {
		all = append(all, e.Cause)
	}
	return all
}

// CallbackPanic is what a call panics with after one of its callbacks did.
type CallbackPanic struct {
	Value any    // the argument of panic
	Stack []byte // of the callback
}

func (p *CallbackPanic) Error() string {
	return fmt.Sprintf("nf: a callback panicked: %v\n%s", p.Value, p.Stack)
}

// Unwrap returns the value of the panic if it is an error.
func (p *CallbackPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// failure is an error that the binding itself finds.
func failure(status Status, format string, args ...any) *Error {
	return &Error{Status: status, Layer: -1, Row: -1, Message: fmt.Sprintf(format, args...)}
}

func closed(what string) *Error {
	return &Error{Status: ErrState, Layer: -1, Row: -1, Message: what, Cause: ErrClosed}
}

// check turns a status and what the library wrote into an error.
func check(status C.nf_status, e *C.nf_error) error {
	if status == C.NF_OK {
		return nil
	}
	return &Error{Status: Status(status), Errno: syscall.Errno(e.os_errno), Layer: int(e.layer), Row: int64(e.row),
		Message: C.GoString(&e.message[0])}
}

// Version returns the version of the loaded library as major*10000 + minor*100 + patch.
func Version() int { return int(C.nf_version()) }

// VersionString describes the loaded library, for logs and bug reports.
func VersionString() string { return C.GoString(C.nf_version_string()) }
