// The contents of the stored files. A fixture is a pinned case (tests/pins/run.h) that was trained and saved once.
#pragma once
#include <vector>

#include "tests/pins/run.h"

namespace libnf::test {

std::vector<PinCase> model_fixtures();       // saved after `steps` steps; with 0 steps, as created
std::vector<PinCase> checkpoint_fixtures();  // saved after kStepsBefore steps of a run

inline constexpr int64_t kStepsBefore = 20, kStepsAfter = 10;
inline constexpr char kNote[] = "columns", kNoteText[] = "first, second \"quoted\" \xce\xb1";

}  // namespace libnf::test
