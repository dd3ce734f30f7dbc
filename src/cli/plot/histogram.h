// Histograms that follow the values: as many bins as their number supports, aligned with whole numbers.
#pragma once
#include <span>
#include <vector>

#include "src/cli/plot/plot.h"

namespace cli {

struct Bins {
  double low = 0, width = 1;
  size_t count = 1;
  double edge(size_t i) const { return low + width * static_cast<double>(i); }
};

// Returns bins that cover the range; those of values with a grain have their middle between two edges.
Bins bins_of(const Range& range, size_t rows);

// Returns the density of the values in each bin: the shares of all values, divided by the width. Values outside of the
// bins only count in the total.
std::vector<double> histogram(std::span<const double> values, const Bins& bins);

void draw_filled(Canvas& canvas, const Axes& axes, const Bins& bins, const std::vector<double>& heights, Color color);
void draw_outline(Canvas& canvas, const Axes& axes, const Bins& bins, const std::vector<double>& heights, Color color);

int64_t outside_of(std::span<const double> values, const Range& range);  // also counts what is not finite

}  // namespace cli
