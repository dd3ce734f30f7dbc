// Reading and mapping whole files; see file_bytes.h.
#include "src/io/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "runtime/core/status.h"
#include "src/io/quote.h"

namespace nf {
namespace {

Fd open_regular(const char* path, size_t limit, size_t* size) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not wait.
  Fd fd = sys_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) fail_os(Code::io, errno, "cannot open %s", quote_path(path).c_str());
  struct stat st;
  if (sys_stat(fd.get(), &st) != 0) fail_os(Code::io, errno, "cannot read %s", quote_path(path).c_str());
  if (S_ISDIR(st.st_mode)) fail_os(Code::io, EISDIR, "cannot read %s", quote_path(path).c_str());
  if (!S_ISREG(st.st_mode))
    fail_os(Code::io, EINVAL, "cannot read %s: it is not a regular file", quote_path(path).c_str());
  *size = static_cast<size_t>(st.st_size);
  if (*size > limit)
    fail_os(Code::io, EFBIG, "cannot read %s: %zu bytes are above the limit of %zu", quote_path(path).c_str(), *size,
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
    // One byte more than the size: a file that grows meanwhile (or one of /proc, of size 0) is noticed.
    const ssize_t n =
        done < size ? sys_read(fd.get(), f.buffer_.as<char>() + done, size - done) : sys_read(fd.get(), &past_end, 1);
    if (n < 0) fail_os(Code::io, errno, "cannot read %s", quote_path(path).c_str());
    if (n == 0) break;
    done += static_cast<size_t>(n);
    if (done > size) break;
  }
  if (done != size)
    fail_os(Code::io, EIO, "cannot read %s: its size is not the announced %zu bytes (is it being written?)",
            quote_path(path).c_str(), size);
  f.data_ = f.buffer_.data();
  f.size_ = size;
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

void FileBytes::let_go() const {
  if (mapped_) ::madvise(data_, size_, MADV_DONTNEED);  // private and never written: nothing is lost
}

FileBytes::~FileBytes() {
  if (mapped_) ::munmap(data_, size_);
}

}  // namespace nf
