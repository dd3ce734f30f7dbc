// Damage behind the checksum: what a hand that means harm can write.
#pragma once
#include <cstdint>
#include <vector>

namespace fuzz {

// Makes the checksum of a model file or checkpoint agree with its content; returns false if it has none.
bool repair(std::vector<uint8_t>& file);

}  // namespace fuzz
