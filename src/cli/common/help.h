// The layout of help texts, at most 120 columns wide, and the version line.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace cli {

std::shared_ptr<CLI::FormatterBase> help_format();
std::string version_text();  // "nf 0.1.0 (simd AVX3, products own)"

}  // namespace cli
