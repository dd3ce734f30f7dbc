// PNG pictures as data, read with libpng: eight bits a channel, gray or RGB. Palettes and fewer bits are expanded, which
// changes no pixel. 16 bits and transparency are refused, because they would be rounded away; gamma is ignored.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cli {

struct Pixels {
  int64_t height = 0, width = 0, channels = 0;  // channels: 1 or 3
  std::vector<uint8_t> bytes;                   // [height, width, channels]
};

// Failure for files that are damaged, or do not hold such pixels. `name` is what it calls the file.
Pixels parse_png(const std::string& file, const std::string& name);

// The pictures of a folder, which have one size, in the order of their names; or a single file. A folder without pictures
// of its own may have a folder for each class: their names are the classes, in alphabetic order.
struct Pictures {
  std::vector<std::string> names;    // "7.png", or with classes "cat/7.png"
  std::vector<std::string> classes;  // empty without such folders
  std::vector<int32_t> labels;       // of each picture, an index into classes
  std::string npy;                   // the content of a .npy file: bytes [pictures, height, width, channels]
};

// Whether a path is a folder, or a PNG file by its first bytes.
bool holds_pictures(const std::string& path);
const Pictures& read_pictures(const std::string& path);  // once: read again, a path gives the same pictures

}  // namespace cli
