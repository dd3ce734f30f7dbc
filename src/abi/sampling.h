// nf_sampling, as the calls that draw samples read it.
#pragma once
#include "nf/nf.h"
#include "src/model/session.h"

namespace libnf {

// Reads `how`; NULL stands for all fields 0.
Session::Sampling sampling_of(const nf_sampling* how);
// Checks the context of n samples, which go to the out-view `name`: one row for all, or one for every `repeat` of them.
void check_sampling(const Session::Sampling& how, const char* name, int64_t n, const View& context,
                    const Density& model);

}  // namespace libnf
