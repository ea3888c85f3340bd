include $(BR2_EXTERNAL_FERNSEAL_PATH)/package/fernseal/fernseal.mk
