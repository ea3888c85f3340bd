/* What a fault in libfernseal does. The application may define another function. */
#include <zephyr/kernel.h>

__weak void fernseal_panic(void)
{
    k_panic();
    CODE_UNREACHABLE;
}
