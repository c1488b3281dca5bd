// Uses an installed sluice as a stranger does.
#include <cerrno>
#include <cstdio>

#include "sluice/base/result.hpp"

int main() {
    const sluice::result<int> answer = sluice::failure_of(ECONNREFUSED);
    std::printf("%s\n", answer.error().message().c_str());
    return answer.error() == sluice::error::system(ECONNREFUSED) ? 0 : 1;
}
