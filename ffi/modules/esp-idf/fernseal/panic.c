/* What a fault in libfernseal does. The application may define another function. */
#include <stdlib.h>

void fernseal_panic(void);

__attribute__((weak)) void fernseal_panic(void)
{
    abort();
}
