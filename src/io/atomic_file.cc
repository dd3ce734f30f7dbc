// Atomic, durable replacement of a file; see atomic_file.h for the guarantees.
#include "src/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/core/status.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

constexpr mode_t kDefaultMode = 0666;  // the kernel applies the umask
constexpr mode_t kNoMode = 0;

// Follows symbolic links, so that saving to a link does not replace the link.
std::string resolve(const char* path) {
  struct stat st;
  if (::lstat(path, &st) != 0 || !S_ISLNK(st.st_mode)) return path;
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path, nullptr), std::free);
  if (real) return real.get();
  if (errno == ENOENT) return path;  // a dangling link is replaced
  fail_os(Code::io, errno, "cannot save %s", quote_path(path).c_str());
}

// Returns the mode of the file to replace, or kNoMode if it does not exist yet.
mode_t check_target(int dir, const char* name, const char* shown) {
  struct stat st;
  if (::fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return kNoMode;
    fail_os(Code::io, errno, "cannot save %s", shown);
  }
  if (S_ISDIR(st.st_mode)) fail_os(Code::io, EISDIR, "cannot save %s", shown);
  if (S_ISLNK(st.st_mode)) return kNoMode;
  // Renaming over /dev/null or a FIFO would destroy it for every program.
  if (!S_ISREG(st.st_mode)) fail_os(Code::io, EINVAL, "cannot save %s: it is not a regular file", shown);
  // rename() replaces a write-protected file without an error.
  if (::faccessat(dir, name, W_OK, AT_EACCESS) != 0) fail_os(Code::io, errno, "cannot replace %s", shown);
  return st.st_mode & 0777;
}

}  // namespace

AtomicFile::AtomicFile(const char* path) : shown_(quote_path(path)) {
  const std::string target = resolve(path);
  const size_t slash = target.rfind('/');
  name_ = slash == std::string::npos ? target : target.substr(slash + 1);
  const std::string dir = slash == std::string::npos ? "." : slash == 0 ? "/" : target.substr(0, slash);
  if (name_.empty() || name_ == "." || name_ == "..")
    fail_os(Code::io, EISDIR, "cannot save %s: the path must end in a file name", shown_.c_str());
  // Keep the directory open, so that a chdir() by the host before commit() does not move the file.
  dir_ = sys_open_at(AT_FDCWD, dir.c_str(), O_RDONLY | O_DIRECTORY);
  if (!dir_) fail_os(Code::io, errno, "cannot save %s: cannot open its directory", shown_.c_str());
  const mode_t mode = check_target(dir_.get(), name_.c_str(), shown_.c_str());
  buffer_ = std::make_unique<char[]>(kBufferBytes);
  create_temp(mode);
}

AtomicFile::~AtomicFile() { remove_temp(); }

void AtomicFile::create_temp(mode_t mode) {
  constexpr int kTries = 100;
  remove_abandoned(dir_.get());
  for (int i = 0; i < kTries; ++i) {
    char name[64];  // a short hidden name fits every file system
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    std::snprintf(name, sizeof name, "%s%lx-%llx-%d%s", kTempPrefix, static_cast<unsigned long>(::getpid()),
                  static_cast<unsigned long long>(now), i, kTempSuffix);
    temp_ = name;
    file_ = sys_open_at(dir_.get(), name, O_WRONLY | O_CREAT | O_EXCL, kDefaultMode);
    if (file_) {
      // The lock shows other savers that this file is in use. One that looked before it was taken removes the file.
      struct stat st;
      const bool locked = sys_lock(file_.get());
      if (locked ? ::fstat(file_.get(), &st) == 0 && st.st_nlink == 0 : errno == EWOULDBLOCK) {
        ::unlinkat(dir_.get(), name, 0);
        continue;
      }
      if (mode != kNoMode) (void)::fchmod(file_.get(), mode);  // some file systems have no modes; ignore the error
      return;
    }
    temp_.clear();
    if (errno != EEXIST) break;
  }
  fail_os(Code::io, errno, "cannot save %s: cannot create a file in its directory", shown_.c_str());
}

void AtomicFile::remove_temp() noexcept {
  file_ = Fd();
  if (!temp_.empty()) ::unlinkat(dir_.get(), temp_.c_str(), 0);
  temp_.clear();
}

void AtomicFile::give_up(const char* doing) {
  const int why = errno;
  remove_temp();
  fail_os(Code::io, why, "cannot save %s: %s", shown_.c_str(), doing);
}

void AtomicFile::put(const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = sys_write(file_.get(), data, bytes);
    if (n == 0) errno = ENOSPC;  // unspecified by POSIX; retrying could loop forever
    if (n <= 0) give_up("write failed");
    data += n;
    bytes -= static_cast<size_t>(n);
  }
}

void AtomicFile::write(const void* data, size_t bytes) {
  if (temp_.empty()) fail(Code::state, "cannot write to %s: it was already committed", shown_.c_str());
  const auto* p = static_cast<const char*>(data);
  if (bytes > kBufferBytes - buffered_) {
    put(buffer_.get(), std::exchange(buffered_, 0));
    if (bytes >= kBufferBytes) return put(p, bytes);
  }
  if (bytes) std::memcpy(buffer_.get() + buffered_, p, bytes);
  buffered_ += bytes;
}

void AtomicFile::commit() {
  if (temp_.empty()) fail(Code::state, "cannot commit %s: it was already committed", shown_.c_str());
  put(buffer_.get(), std::exchange(buffered_, 0));
  if (sys_fsync(file_.get()) != 0) give_up("fsync failed");
  const Fd lock(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));  // holds the lock until the file has its name
  if (file_.close() != 0) give_up("close failed");
  if (sys_rename_at(dir_.get(), temp_.c_str(), name_.c_str()) != 0) give_up("rename failed");
  temp_.clear();
  // EINVAL means that the file system cannot fsync directories (some network and FUSE file systems).
  if (sys_fsync(dir_.get()) != 0 && errno != EINVAL)
    fail_os(Code::io, errno, "saved %s, but flushing its directory failed, so a power failure may undo it",
            shown_.c_str());
}

}  // namespace libnf
