// Ctrl-C and SIGTERM while something long runs: the first asks it to stop and save, a second ends the process at once.
#pragma once
#include <csignal>

namespace nf::cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  static bool asked();  // to stop

 private:
  struct sigaction old_[2];
};

}  // namespace nf::cli
