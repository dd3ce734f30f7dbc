// Package nf trains, evaluates and samples normalizing flows with libnf.
//
// A [Model] is a JSON spec and parameters. [Model.Fit] trains it on rows; [Model.LogProb], [Model.Sample] and the methods of a
// [Session] use it. A [Trainer] leaves the training loop to the caller. [Table] and [Batches] read files, a [Target] is a
// density known up to a factor.
//
// # Memory
//
// An [Array] describes numbers of the caller: []float32, []float64 or []uint8 with a shape. It is not copied: it is pinned for
// the call. Results are written to arrays of the caller too; methods that return slices say so.
//
// Every handle has Close, which may be called at any time and more than once: a call that is under way on another goroutine
// ends first, and later calls fail with [ErrClosed]. A handle that is not closed is freed after it became unreachable, but
// the garbage collector does not see the memory behind it, so close what is large. Handles may be closed in any order.
//
// # Goroutines
//
// The methods of a Model may be called from any number of goroutines. A [Session], a [Trainer] or a [Batches] is used by one
// goroutine at a time; a second one gets [ErrState]. Sessions read the parameters of their model without a lock, so nothing
// may change the model (SetTensor, CopyFrom, InitFromData, Fit, a trainer) while another goroutine scores with it: train a
// [Model.Clone] instead, and swap.
//
// # Errors
//
// Errors of the library are [*Error]: errors.As gives the row, the layer and the message, and errors.Is compares with the
// status, such as [ErrShape], with the operating system's error ([io/fs.ErrNotExist]) and with what a callback returned.
// A callback that panics stops the call, which then panics with a [*CallbackPanic] on the goroutine of the caller. Callbacks
// must not call [runtime.Goexit], as testing.T.FailNow does: it would unwind through the frames of the library.
package nf
