################################################################################
#
# fernseal
#
################################################################################

FERNSEAL_VERSION = @VERSION@
FERNSEAL_SITE = https://github.com/fernseal/fernseal/releases/download/v$(FERNSEAL_VERSION)
# This archive contains the crates, so Buildroot does not vendor them again.
FERNSEAL_SOURCE = fernseal-$(FERNSEAL_VERSION)-with-crates.tar.gz
FERNSEAL_LICENSE = MIT or Apache-2.0
FERNSEAL_LICENSE_FILES = LICENSE
FERNSEAL_INSTALL_STAGING = YES

FERNSEAL_PARTS = ffi $(if $(BR2_PACKAGE_FERNSEAL_COMMAND),cli)
FERNSEAL_STAGE = $(@D)/stage

# PKG_CARGO_ENV has the target and its linker. cargo must run in the source, where its configuration is.
define FERNSEAL_BUILD_CMDS
	rm -rf $(FERNSEAL_STAGE)
	$(foreach part,$(FERNSEAL_PARTS), \
		$(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(PKG_CARGO_ENV) \
			CARGOFLAGS=--offline DESTDIR=$(FERNSEAL_STAGE) PREFIX=/usr \
			$(@D)/$(part)/install.sh
	)
endef

define FERNSEAL_INSTALL_STAGING_CMDS
	cp -a $(FERNSEAL_STAGE)/. $(STAGING_DIR)
endef

# Buildroot removes headers, static libraries and manual pages from the target.
define FERNSEAL_INSTALL_TARGET_CMDS
	cp -a $(FERNSEAL_STAGE)/. $(TARGET_DIR)
endef

$(eval $(cargo-package))
