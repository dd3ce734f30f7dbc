// Draws the learning curve as text.
#pragma once
#include <string>
#include <vector>

#include "src/cli/common/text.h"
#include "src/cli/run/state.h"

namespace cli {

// Returns training and validation log-likelihood over steps as several lines, or "" if there are too few points.
std::string chart(const std::vector<CurvePoint>& curve, const Screen& screen);

}  // namespace cli
