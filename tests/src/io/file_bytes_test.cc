// Whole files, read and mapped. Anything that is not a plain readable file is a defined error.
#include "src/io/file_bytes.h"

#include <sys/stat.h>

#include <cerrno>

#include "runtime/core/fault.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

FileBytes read(const std::string& path, size_t limit = FileBytes::kNoLimit) {
  return FileBytes::read(system_allocator(), path.c_str(), limit);
}

TEST(FileBytes, ReadsAndMaps) {
  const TempDir dir;
  const std::string content = std::string(100000, 'a') + '\0' + "end";
  put(dir / "f", content);
  EXPECT_EQ(text_of(read(dir / "f").bytes()), content);
  EXPECT_EQ(text_of(FileBytes::map((dir / "f").c_str()).bytes()), content);
  FileBytes moved = read(dir / "f");
  FileBytes target = std::move(moved);
  EXPECT_EQ(text_of(target.bytes()), content);
}

TEST(FileBytes, MappedFilesNoticeTruncationAndReleasePages) {
  const TempDir dir;
  put(dir / "f", std::string(100000, 'a'));
  const FileBytes mapped = FileBytes::map((dir / "f").c_str()), copy = read(dir / "f");
  EXPECT_TRUE(mapped.mapped() && mapped.intact() && copy.intact() && !copy.mapped());
  mapped.release_pages();
  copy.release_pages();
  EXPECT_EQ(text_of(mapped.bytes()), text_of(copy.bytes())) << "released pages are read again";
  std::filesystem::resize_file(dir / "f", 50000);
  EXPECT_FALSE(mapped.intact());
  EXPECT_TRUE(copy.intact());
  std::filesystem::resize_file(dir / "f", 100000);
  EXPECT_TRUE(mapped.intact());
}

TEST(FileBytes, EmptyIsFine) {
  const TempDir dir;
  put(dir / "f", "");
  EXPECT_EQ(read(dir / "f").bytes().size(), 0u);
  EXPECT_EQ(FileBytes::map((dir / "f").c_str()).bytes().size(), 0u);
}

TEST(FileBytes, RefusesWhatIsNotAFile) {
  const TempDir dir;
  ::mkfifo((dir / "fifo").c_str(), 0600);
  for (const bool map : {false, true}) {
    const auto open = [&](const std::string& p) { map ? FileBytes::map(p.c_str()) : read(p); };
    EXPECT_EQ(expect_error(Code::io, "none'", [&] { open(dir / "none"); }), ENOENT);
    EXPECT_EQ(expect_error(Code::io, dir.path(), [&] { open(dir.path()); }), EISDIR);
    EXPECT_EQ(expect_error(Code::io, "it is a pipe", [&] { open(dir / "fifo"); }), EINVAL);
    EXPECT_EQ(expect_error(Code::io, "not a regular file", [&] { open("/dev/zero"); }), EINVAL);
    EXPECT_EQ(expect_error(Code::io, "''", [&] { open(""); }), ENOENT);
  }
}

TEST(FileBytes, LimitIsCheckedBeforeAllocating) {
  const TempDir dir;
  put(dir / "f", "12345");
  EXPECT_EQ(read(dir / "f", 5).bytes().size(), 5u);
  EXPECT_EQ(expect_error(Code::io, "limit of 4", [&] { read(dir / "f", 4); }), EFBIG);
  std::filesystem::resize_file(dir / "f", uintmax_t{1} << 40);  // sparse
  EXPECT_EQ(expect_error(Code::io, "limit of 1000", [&] { read(dir / "f", 1000); }), EFBIG);
  EXPECT_EQ(expect_error(Code::io, "limit", [&] { FileBytes::map((dir / "f").c_str(), 1000); }), EFBIG);
  Allocator refusing = system_allocator();
  refusing.alloc = [](void*, size_t, size_t) -> void* { return nullptr; };
  expect_error(Code::nomem, "memory", [&] { FileBytes::read(refusing, (dir / "f").c_str()); });
}

TEST(FileBytes, FileLargerThanItSaysIsAnError) {
  EXPECT_EQ(expect_error(Code::io, "being written", [&] { read("/proc/self/status"); }), EIO);
}

TEST(FileBytes, LongPathKeepsTheReasonInTheMessage) {
  std::string path;
  for (int i = 0; i < 60; ++i) path += "/directory";
  expect_error(Code::io, "No such file", [&] { read(path + "/model.safetensors"); });
  expect_error(Code::io, "model.safetensors'", [&] { read(path + "/model.safetensors"); });
}

#ifdef NF_FAULTS
TEST(FileBytes, FailsAtEveryCall) {
  const TempDir dir;
  const std::string content(3000, 'x');
  put(dir / "f", content);
  const size_t descriptors = open_descriptors();
  for (const bool map : {false, true})
    for (const int effect : {EIO, ENOMEM, EINTR, kFaultShort}) {
      const bool survives = effect == EINTR || effect == kFaultShort;
      int64_t nth = 1;
      for (bool done = false; !done; ++nth) {
        const FaultScope plan("io.", nth, effect, effect == EIO || effect == kFaultShort);
        try {
          // EINTR cannot come from mmap, so there is nothing to retry.
          if (map && survives) break;
          const FileBytes f = map ? FileBytes::map((dir / "f").c_str()) : read(dir / "f");
          EXPECT_EQ(text_of(f.bytes()), content);
          done = plan.hits() < nth;
        } catch (const Error& e) {
          EXPECT_FALSE(survives) << e.what();
          EXPECT_EQ(e.os_errno(), effect) << e.what();
        }
        EXPECT_EQ(open_descriptors(), descriptors);
      }
      EXPECT_TRUE(nth >= 4 || (map && survives)) << "open, stat, read (or map) were expected";
    }
}
#endif

TEST(FileBytes, TruncatedWhileReading) {
  const TempDir dir;
  put(dir / "f", "123456");
  // Shrinks the file between stat and read, in the allocator.
  struct Shrink {
    std::string path;
  } shrink{dir / "f"};
  Allocator a = system_allocator();
  a.user = &shrink;
  a.alloc = [](void* user, size_t n, size_t align) -> void* {
    std::filesystem::resize_file(static_cast<Shrink*>(user)->path, 3);
    return system_allocator().alloc(nullptr, n, align);
  };
  EXPECT_EQ(expect_error(Code::io, "size differs", [&] { FileBytes::read(a, shrink.path.c_str()); }), EIO);
}

}  // namespace
}  // namespace libnf
