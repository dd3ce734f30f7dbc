// Draws the learning curve as text.
#pragma once
#include <string>
#include <vector>

#include "src/cli/run_state.h"
#include "src/cli/text.h"

namespace nf::cli {

// Returns training and validation log-likelihood over steps as several lines, or "" if there are too few points.
std::string chart(const std::vector<CurvePoint>& curve, const Screen& screen);

}  // namespace nf::cli
