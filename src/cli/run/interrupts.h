// Handles Ctrl-C and SIGTERM during a long run: the first requests a stop with a checkpoint, a second ends the process.
#pragma once
#include <csignal>

namespace cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  static bool requested();

 private:
  struct sigaction old_[2];
};

}  // namespace cli
