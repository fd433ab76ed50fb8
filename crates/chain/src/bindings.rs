//! Bindings made from the ABIs in `crates/chain/abi`, which `cargo xtask bindings` writes from the
//! contracts.

alloy::sol!(
    #[sol(rpc, all_derives)]
    LeaseEscrow,
    "abi/LeaseEscrow.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    Registry,
    "abi/Registry.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    CommitteeOracle,
    "abi/CommitteeOracle.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    DemoToken,
    "abi/DemoToken.json"
);
