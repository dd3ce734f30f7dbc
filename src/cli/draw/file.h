// Writes a file that appears under its name only when it is complete.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace cli {

void write_file(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace cli
