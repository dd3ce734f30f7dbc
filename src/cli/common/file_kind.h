// Guesses what a file is from its first bytes, for messages about a file of the wrong kind.
#pragma once
#include <string>

namespace cli {

// Returns "a model", "a .npy table", "a picture", "JSON", "text, perhaps CSV", or "" for anything else.
std::string kind_of_file(const std::string& path);

}  // namespace cli
