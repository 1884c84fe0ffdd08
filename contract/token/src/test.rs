//! On the network's own host, from the source and from the committed wasm.

extern crate std;

use soroban_sdk::{
    testutils::{Address as _, MockAuth, MockAuthInvoke},
    Address, Env, IntoVal, String,
};

use crate::{Error, Token, TokenClient};

const WASM: &[u8] = include_bytes!("../../token.wasm");

struct Scene {
    env: Env,
    id: Address,
    admin: Address,
}

impl Scene {
    fn client(&self) -> TokenClient<'_> {
        TokenClient::new(&self.env, &self.id)
    }

    fn somebody(&self) -> Address {
        Address::generate(&self.env)
    }
}

fn scenes() -> [Scene; 2] {
    [false, true].map(|committed| {
        let env = Env::default();
        let admin = Address::generate(&env);
        let name = String::from_str(&env, "Test token");
        let symbol = String::from_str(&env, "TEST");
        let about = (admin.clone(), 7u32, name, symbol);
        let id = if committed {
            env.register(WASM, about)
        } else {
            env.register(Token, about)
        };
        env.mock_all_auths();
        Scene { env, id, admin }
    })
}

#[test]
fn it_says_what_it_is() {
    for scene in scenes() {
        let token = scene.client();
        assert_eq!(token.decimals(), 7);
        assert_eq!(token.symbol(), String::from_str(&scene.env, "TEST"));
        assert_eq!(token.name(), String::from_str(&scene.env, "Test token"));
    }
}

#[test]
fn transfers_move_to_the_unit_and_no_more_than_there_is() {
    for scene in scenes() {
        let (token, from, to) = (scene.client(), scene.somebody(), scene.somebody());
        token.mint(&from, &100);
        token.transfer(&from, &to, &40);
        assert_eq!((token.balance(&from), token.balance(&to)), (60, 40));
        let too_much = token.try_transfer(&from, &to, &61);
        assert_eq!(too_much, Err(Ok(Error::BalanceTooLow.into())));
        let negative = token.try_transfer(&from, &to, &-1);
        assert_eq!(negative, Err(Ok(Error::InvalidAmount.into())));
        assert_eq!((token.balance(&from), token.balance(&to)), (60, 40));
    }
}

#[test]
fn only_the_holder_sends_and_only_the_admin_mints() {
    for scene in scenes() {
        let (token, from, to) = (scene.client(), scene.somebody(), scene.somebody());
        token.mint(&from, &100);
        let stranger = scene.somebody();
        for (function, args) in [
            ("transfer", (&from, &to, 1i128).into_val(&scene.env)),
            ("mint", (&to, 1i128).into_val(&scene.env)),
        ] {
            let invoke = MockAuthInvoke {
                contract: &scene.id,
                fn_name: function,
                args,
                sub_invokes: &[],
            };
            scene.env.mock_auths(&[MockAuth {
                address: &stranger,
                invoke: &invoke,
            }]);
        }
        assert!(token.try_transfer(&from, &to, &1).is_err());
        assert!(token.try_mint(&to, &1).is_err());
        assert_ne!(stranger, scene.admin);
    }
}

#[test]
fn allowances_are_used_up_and_end() {
    for scene in scenes() {
        let (token, from, to) = (scene.client(), scene.somebody(), scene.somebody());
        let spender = scene.somebody();
        token.mint(&from, &100);
        token.approve(&from, &spender, &30, &(scene.env.ledger().sequence() + 10));
        token.transfer_from(&spender, &from, &to, &20);
        token.burn_from(&spender, &from, &5);
        assert_eq!(token.allowance(&from, &spender), 5);
        let too_much = token.try_transfer_from(&spender, &from, &to, &6);
        assert_eq!(too_much, Err(Ok(Error::AllowanceTooLow.into())));
        token.burn(&from, &5);
        assert_eq!((token.balance(&from), token.balance(&to)), (70, 20));
    }
}

#[test]
fn frozen_holders_neither_send_nor_receive() {
    for scene in scenes() {
        let (token, from, to) = (scene.client(), scene.somebody(), scene.somebody());
        token.mint(&from, &100);
        token.freeze(&to, &true);
        assert_eq!(
            token.try_transfer(&from, &to, &1),
            Err(Ok(Error::Frozen.into()))
        );
        token.freeze(&to, &false);
        token.transfer(&from, &to, &1);
        assert_eq!(token.balance(&to), 1);
    }
}
