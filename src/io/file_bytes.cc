// Reads and maps whole files; see file_bytes.h.
#include "src/io/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/core/status.h"
#include "src/io/growing_bytes.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

Fd open_regular(const char* path, size_t limit, size_t* size) {
  // O_NONBLOCK keeps open() from waiting on a FIFO without a writer.
  Fd fd = sys_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) fail_os(Code::io, errno, "cannot open %s", quote_path(path).c_str());
  struct stat st;
  if (sys_stat(fd.get(), &st) != 0) fail_os(Code::io, errno, "cannot read %s", quote_path(path).c_str());
  if (S_ISDIR(st.st_mode)) fail_os(Code::io, EISDIR, "cannot read %s", quote_path(path).c_str());
  if (!S_ISREG(st.st_mode)) {
    const char* kind = S_ISFIFO(st.st_mode) ? "is a pipe" : "is not a regular file";
    throw Error(Code::io,
                ("cannot read " + quote_path(path) + ": it " + kind + "; save the data to a file first").c_str(),
                EINVAL);
  }
  *size = static_cast<size_t>(st.st_size);
  if (*size > limit)
    fail_os(Code::io, EFBIG, "cannot read %s: its %zu bytes exceed the limit of %zu", quote_path(path).c_str(), *size,
            limit);
  return fd;
}

}  // namespace

FileBytes FileBytes::read(const Allocator& allocator, const char* path, size_t limit) {
  FileBytes f;
  size_t size = 0;
  const Fd fd = open_regular(path, limit, &size);
  f.buffer_ = Buffer(allocator, size, "a file");
  size_t done = 0;
  char past_end;
  for (;;) {
    // Read one byte past the size, to detect a file that grows in the meantime or reports size 0 (as in /proc).
    const ssize_t n =
        done < size ? sys_read(fd.get(), f.buffer_.as<char>() + done, size - done) : sys_read(fd.get(), &past_end, 1);
    if (n < 0) fail_os(Code::io, errno, "cannot read %s", quote_path(path).c_str());
    if (n == 0) break;
    done += static_cast<size_t>(n);
    if (done > size) break;
  }
  if (done != size)
    fail_os(Code::io, EIO, "cannot read %s: its size differs from the reported %zu bytes (is it being written?)",
            quote_path(path).c_str(), size);
  f.data_ = f.buffer_.data();
  f.size_ = size;
  return f;
}

FileBytes FileBytes::read_or_wait(const Allocator& allocator, const char* path, size_t limit) {
  struct stat st;
  const bool known = ::stat(path, &st) == 0;  // without opening it: a named pipe waits for its other end
  if (!known || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode)))
    return read(allocator, path, limit);
  const Fd fd = sys_open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
  if (!fd) fail_os(Code::io, errno, "cannot open %s", quote_path(path).c_str());
  if (S_ISCHR(st.st_mode) && !::isatty(fd.get())) return read(allocator, path, limit);  // says what is wrong with it
  GrowingBytes content(allocator, limit, path);
  for (;;) {
    constexpr size_t kChunk = size_t{1} << 16;
    const ssize_t n = sys_read(fd.get(), content.grow(kChunk), kChunk);
    if (n < 0) fail_os(Code::io, errno, "cannot read %s", quote_path(path).c_str());
    content.shrink(kChunk - static_cast<size_t>(n));
    if (n == 0) break;
  }
  FileBytes f;
  f.size_ = content.size();
  f.buffer_ = content.take();
  f.data_ = f.buffer_.data();
  return f;
}

FileBytes FileBytes::map(const char* path, size_t limit) {
  FileBytes f;
  size_t size = 0;
  Fd fd = open_regular(path, limit, &size);
  if (size == 0) return f;  // mmap refuses empty files
  f.data_ = sys_map(fd.get(), size);
  if (!f.data_) fail_os(Code::io, errno, "cannot map %s", quote_path(path).c_str());
  f.fd_ = std::move(fd);
  f.size_ = size;
  f.mapped_ = true;
  return f;
}

bool FileBytes::intact() const {
  struct stat st;
  return !mapped_ || (sys_stat(fd_.get(), &st) == 0 && static_cast<size_t>(st.st_size) >= size_);
}

void FileBytes::release_pages() const {
  if (mapped_) ::madvise(data_, size_, MADV_DONTNEED);  // safe: the mapping is private and never written
}

FileBytes::~FileBytes() {
  if (mapped_) ::munmap(data_, size_);
}

}  // namespace libnf
