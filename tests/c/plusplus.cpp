// Tests the header in C++11: constant expressions, callbacks with a context, and a key type that wipes itself.
#include <fernseal.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>

#include "../firmware/vectors.h"

static_assert(FERNSEAL_TOKEN_SEAL_CAP(36) == 218, "a macro is a constant expression");
static_assert(std::is_trivial<fernseal_master_key>::value && sizeof(fernseal_master_key) == 64, "");
static_assert(sizeof(fernseal_key) == 32 && std::is_same<fernseal_status, std::int32_t>::value, "");

namespace {
class MasterKey {
public:
    explicit MasterKey(const std::string &text) : status(fernseal_master_key_parse(&key, text.data(), text.size())) {}
    MasterKey(const MasterKey &) = delete;
    MasterKey &operator=(const MasterKey &) = delete;
    ~MasterKey() { fernseal_wipe(&key, sizeof key); }
    fernseal_master_key key{};
    fernseal_status status;
};
} // namespace

int main()
{
    const MasterKey master(MASTER_KEY);
    const std::string secret = SECRET;
    std::array<char, FERNSEAL_TOKEN_SEAL_CAP(sizeof(SECRET) - 1)> token;
    std::size_t len = 0;
    std::random_device device;
    // A lambda without captures is a C callback; it gets its data through ctx.
    const fernseal_random_fn random = [](void *ctx, std::uint8_t *buf, std::size_t count) {
        for (std::size_t i = 0; i < count; i++)
            buf[i] = static_cast<std::uint8_t>((*static_cast<std::random_device *>(ctx))());
        return 0;
    };
    bool passed = master.status == FERNSEAL_OK &&
                  fernseal_token_seal(token.data(), token.size(), &len, &master.key,
                                      reinterpret_cast<const std::uint8_t *>(secret.data()), secret.size(), 0, random,
                                      &device, nullptr) == FERNSEAL_OK;
    std::array<std::uint8_t, FERNSEAL_TOKEN_OPEN_CAP(token.size() - 1)> opened;
    passed = passed && fernseal_token_open(opened.data(), opened.size(), &len, &master.key, token.data(),
                                           token.size() - 1, nullptr) == FERNSEAL_OK;
    passed = passed && len == secret.size() && std::memcmp(opened.data(), secret.data(), len) == 0;
    std::puts(passed ? "plusplus: passed" : "plusplus: FAILED");
    return passed ? 0 : 1;
}
