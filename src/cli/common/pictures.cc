// See pictures.h. libpng reports errors by longjmp, so nothing between setjmp and the end of a picture has a destructor.
#include "src/cli/common/pictures.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <new>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
namespace fs = std::filesystem;

struct Reader {
  const char* at;
  size_t rest;
  Pixels* out;
  char message[160] = "";
  bool no_memory = false;
};

void take(png_structp png, png_bytep to, size_t bytes) {
  auto& r = *static_cast<Reader*>(png_get_io_ptr(png));
  if (bytes > r.rest) png_error(png, "the file ends too early");
  std::memcpy(to, r.at, bytes);
  r.at += bytes;
  r.rest -= bytes;
}

void remember(png_structp png, png_const_charp message) {
  auto& r = *static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(r.message, sizeof r.message, "%s", message);
  png_longjmp(png, 1);
}

void ignore(png_structp, png_const_charp) {}

// What is wrong with the kind of pixels; nullptr: nothing.
const char* refusal(int depth, int color, bool transparent) {
  if (depth == 16) return "it has 16 bits per channel; convert it to 8 bits";
  if (transparent || (color & PNG_COLOR_MASK_ALPHA))
    return "it has transparent pixels (an alpha channel); flatten it on a background first";
  return nullptr;
}

// Memory for the pixels; false without it, because an exception must not cross libpng.
bool make_room(Reader& r) {
  try {
    r.out->bytes.resize(static_cast<size_t>(r.out->height * r.out->width * r.out->channels));
  } catch (const std::exception&) {
    r.no_memory = true;
  }
  return !r.no_memory;
}

void decode(png_structp png, png_infop info, Reader& r) {
  png_set_read_fn(png, &r, take);
  png_read_info(png, info);
  const int depth = png_get_bit_depth(png, info), color = png_get_color_type(png, info);
  if (const char* why = refusal(depth, color, png_get_valid(png, info, PNG_INFO_tRNS) != 0)) png_error(png, why);
  png_set_expand(png);  // palettes to RGB, fewer bits to eight
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  Pixels& out = *r.out;
  out.height = png_get_image_height(png, info);
  out.width = png_get_image_width(png, info);
  out.channels = png_get_channels(png, info);
  // Compressed data holds at most 1032 times its size, in bits at least: a file that promises more gets no memory.
  constexpr int64_t kMostExpansion = 8 * 1032;
  if (out.height > kMostExpansion * static_cast<int64_t>(r.rest) / out.width) png_error(png, "the file ends too early");
  if (!make_room(r)) png_error(png, "no memory");
  const auto line = static_cast<size_t>(out.width * out.channels);
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t y = 0; y < out.height; ++y)
      png_read_row(png, out.bytes.data() + static_cast<size_t>(y) * line, nullptr);
  png_read_end(png, nullptr);
}

bool ends_in_png(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name.size() > 4 && name.ends_with(".png");
}

// The names of the pictures in a folder and of the folders in it, each in alphabetic order.
struct Folder {
  std::vector<std::string> pictures, folders;
};

Folder look_into(const std::string& folder) {
  std::error_code error;
  Folder f;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name[0] == '.') continue;
    if (at->is_directory(ignored))
      f.folders.push_back(name);
    else if (ends_in_png(name))
      f.pictures.push_back(name);
  }
  if (error) throw Failure("cannot read the folder " + folder + ": " + error.message());
  std::sort(f.pictures.begin(), f.pictures.end());
  std::sort(f.folders.begin(), f.folders.end());
  return f;
}

// Finds the pictures of a folder, or of the folders in it.
void find_pictures(const std::string& folder, Pictures& all) {
  Folder f = look_into(folder);
  if (f.pictures.empty() && f.folders.empty())
    throw Failure(folder + " is a folder without .png files",
                  "data is a .npy, .npz, IDX or CSV file, or a folder of PNG pictures");
  if (!f.pictures.empty()) {
    all.names = std::move(f.pictures);
    return;
  }
  all.classes = std::move(f.folders);
  for (const std::string& name : all.classes) {
    const Folder inner = look_into((fs::path(folder) / name).string());
    if (inner.pictures.empty())
      throw Failure(folder + " has no .png files, and " + (fs::path(folder) / name).string() + " has none either",
                    "a folder of pictures has .png files, or one folder per class with .png files in each");
    const auto label = static_cast<int32_t>(&name - all.classes.data());
    for (const std::string& picture : inner.pictures) {
      all.names.push_back(name + "/" + picture);
      all.labels.push_back(label);
    }
  }
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) throw Failure("cannot read " + path + ": " + std::strerror(errno));
  return content;
}

std::string shown(const Pixels& p) {
  return text("%lld x %lld x %lld", static_cast<long long>(p.height), static_cast<long long>(p.width),
              static_cast<long long>(p.channels));
}

// The head of a .npy file of bytes.
std::string npy_head(size_t count, const Pixels& p) {
  std::string dict =
      text("{'descr': '|u1', 'fortran_order': False, 'shape': (%zu, %lld, %lld, %lld), }", count,
           static_cast<long long>(p.height), static_cast<long long>(p.width), static_cast<long long>(p.channels));
  dict += std::string(63 - (10 + dict.size()) % 64, ' ') + '\n';
  const char size[] = {static_cast<char>(dict.size() & 255), static_cast<char>(dict.size() >> 8)};
  return "\x93NUMPY\x01" + std::string(1, '\0') + std::string(size, 2) + dict;
}

Pictures read(const std::string& path) {
  const bool folder = fs::is_directory(path);
  Pictures all;
  if (folder)
    find_pictures(path, all);
  else
    all.names = {fs::path(path).filename().string()};
  Pixels first;
  for (const std::string& name : all.names) {
    const std::string file = folder ? (fs::path(path) / name).string() : path;
    Pixels here = parse_png(content_of(file), file);
    if (all.npy.empty()) all.npy = npy_head(all.names.size(), here);
    if (first.bytes.empty()) first = here;
    if (here.height != first.height || here.width != first.width || here.channels != first.channels)
      throw Failure(
          file + " has " + shown(here) + " pixels and channels, but " + all.names.front() + " has " + shown(first),
          "the pictures of a folder must have one size, and be gray or colored alike");
    all.npy.append(here.bytes.begin(), here.bytes.end());
  }
  return all;
}

}  // namespace

Pixels parse_png(const std::string& file, const std::string& name) {
  if (file.compare(0, 8, "\x89PNG\r\n\x1A\n") != 0)
    throw Failure(name + " is not a PNG file (it does not start with \\x89PNG)");
  Pixels pixels;
  Reader reader{file.data(), file.size(), &pixels};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, remember, ignore);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  volatile bool done = false;
  if (info && !setjmp(png_jmpbuf(png))) {
    decode(png, info, reader);
    done = true;
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (done) return pixels;
  if (reader.no_memory || reader.message[0] == 0) throw std::bad_alloc();
  throw Failure(name + ": damaged or unusual PNG: " + reader.message);
}

bool holds_pictures(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return true;
  if (!fs::is_regular_file(path, ignored)) return false;
  char start[4] = "";
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  return std::memcmp(start, "\x89PNG", 4) == 0;
}

const Pictures& read_pictures(const std::string& path) {
  static std::map<std::string, Pictures> known;
  const auto [at, is_new] = known.try_emplace(path);
  if (is_new) {
    try {
      at->second = read(path);
    } catch (...) {
      known.erase(at);
      throw;
    }
  }
  return at->second;
}

}  // namespace cli
