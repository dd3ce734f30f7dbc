// The general-purpose ops. Formulas, accuracy and sources are at the top of each family's .cc file. Ops of a single
// layer or net have headers that only that layer or net includes.
//
// Shapes: n rows, d columns; "row" results have shape [n]. All ops are differentiable in every Var input unless noted.
// Layouts and broadcasting are checked; errors are Error{shape} naming the op and the input.
#pragma once
#include "runtime/op/activation.h"
#include "runtime/op/affine.h"
#include "runtime/op/arithmetic.h"
#include "runtime/op/columns.h"
#include "runtime/op/coupling.h"
#include "runtime/op/cumsum.h"
#include "runtime/op/density.h"
#include "runtime/op/dropout.h"
#include "runtime/op/elementwise_flow.h"
#include "runtime/op/gather.h"
#include "runtime/op/householder.h"
#include "runtime/op/linear.h"
#include "runtime/op/masked_linear.h"
#include "runtime/op/reduce.h"
#include "runtime/op/softmax.h"
#include "runtime/op/solve.h"
#include "runtime/op/triangular.h"
