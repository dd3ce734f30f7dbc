// The learning curve as a small picture made of text.
#pragma once
#include <string>
#include <vector>

#include "src/cli/run_state.h"
#include "src/cli/text.h"

namespace nf::cli {

// Training and validation log-likelihood over steps, several lines; "" when there are too few points to draw.
std::string chart(const std::vector<CurvePoint>& curve, const Screen& screen);

}  // namespace nf::cli
