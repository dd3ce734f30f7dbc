// System calls with EINTR retry and fault points; see posix.h.
#include "src/io/posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "runtime/core/fault.h"

namespace libnf {
namespace {

constexpr size_t kMaxTransfer = size_t{1} << 30;  // Linux transfers at most 2 GiB per call

// Calls f(short) until it is not interrupted. An injected fault replaces the call.
template <class F>
auto retry(const char* point, F f) -> decltype(f(false)) {
  for (;;) {
    const int fault = NF_FAULT(point);
    if (fault > 0) errno = fault;
    const auto r = fault > 0 ? -1 : f(fault == kFaultShort);
    if (r >= 0 || errno != EINTR) return r;
  }
}

size_t transfer(size_t bytes, bool cut) { return std::min(cut ? (bytes + 1) / 2 : bytes, kMaxTransfer); }

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::close() {
  const int fault = NF_FAULT("io.close");
  int r = ::close(std::exchange(fd_, -1));
  if (fault > 0) {
    errno = fault;
    r = -1;
  }
  // Do not retry: Linux has released the descriptor even on EINTR, and another thread may have reused it.
  return r < 0 && errno == EINTR ? 0 : r;
}

Fd sys_open_at(int dir, const char* name, int flags, mode_t mode) {
  return Fd(retry("io.open", [&](bool) { return ::openat(dir, name, flags | O_CLOEXEC, mode); }));
}

int sys_stat(int fd, struct stat* st) {
  return retry("io.stat", [&](bool) { return ::fstat(fd, st); });
}

ssize_t sys_read(int fd, void* data, size_t bytes) {
  return retry("io.read", [&](bool cut) { return ::read(fd, data, transfer(bytes, cut)); });
}

ssize_t sys_write(int fd, const void* data, size_t bytes) {
  return retry("io.write", [&](bool cut) { return ::write(fd, data, transfer(bytes, cut)); });
}

int sys_fsync(int fd) {
  return retry("io.fsync", [&](bool) { return ::fsync(fd); });
}

int sys_rename_at(int dir, const char* from, const char* to) {
  return retry("io.rename", [&](bool) { return ::renameat(dir, from, dir, to); });
}

bool sys_lock(int fd) {
  return retry("io.lock", [&](bool) { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0;
}

int sys_link(const char* from, const char* to) {
  return retry("io.link", [&](bool) { return ::linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW); });
}

bool replace_by_link(const char* from, const char* to) {
  // Named as abandoned files are, so that the next save removes it if the process is killed here.
  const std::string target = to;
  const size_t slash = target.rfind('/');
  char name[48];
  std::snprintf(name, sizeof name, "%s%lx-link%s", kTempPrefix, static_cast<unsigned long>(::getpid()), kTempSuffix);
  const std::string temporary = (slash == std::string::npos ? "" : target.substr(0, slash + 1)) + name;
  ::unlink(temporary.c_str());
  if (sys_link(from, temporary.c_str()) != 0) return false;
  const bool done = sys_rename_at(AT_FDCWD, temporary.c_str(), to) == 0;
  ::unlink(temporary.c_str());  // rename leaves it when both are the same file already
  return done;
}

void remove_abandoned(int dir) {
  constexpr int kMostNames = 10000;  // a save should not take seconds in a huge folder
  const int again = ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const list = again >= 0 ? ::fdopendir(again) : nullptr;
  if (!list) {
    if (again >= 0) ::close(again);
    return;
  }
  for (int i = 0; i < kMostNames; ++i) {
    const dirent* const entry = ::readdir(list);
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kTempPrefix) || !name.ends_with(kTempSuffix)) continue;
    const Fd file(::openat(dir, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat st;
    if (file && ::fstat(file.get(), &st) == 0 && S_ISREG(st.st_mode) && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
      ::unlinkat(dir, entry->d_name, 0);
  }
  ::closedir(list);
}

void* sys_map(int fd, size_t bytes) {
  if (const int fault = NF_FAULT("io.map"); fault > 0) {
    errno = fault;
    return nullptr;
  }
  void* p = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  return p == MAP_FAILED ? nullptr : p;
}

}  // namespace libnf
